"""Synthetic scenes with questions and answers, for training and testing the demo model.

scene(rng) -> (image, cells, facts): a picture, its labels on a 16 x 16 grid, and what is in it.
dialogue(rng, facts, turns) -> [(question, answer), ...]

Everything is drawn from a seeded random.Random, so a set of scenes is named by its seed.
"""
import math

from PIL import Image, ImageDraw, ImageFont

TILE = 448
GRID = 16  # one cell per visual token of a tile
COLORS = {
    "red": (214, 39, 40),
    "green": (44, 160, 44),
    "blue": (31, 88, 200),
    "yellow": (242, 205, 20),
    "orange": (255, 127, 14),
    "purple": (138, 60, 190),
    "black": (20, 20, 20),
    "gray": (128, 128, 128),
}
COLOR_NAMES = list(COLORS)
SHAPES = ["circle", "square", "triangle", "star", "diamond", "cross"]
PLACES = [
    "top left", "top", "top right",
    "left", "center", "right",
    "bottom left", "bottom", "bottom right",
]
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six"]
WORDS = """
    APPLE BREAD CHAIR DANCE EAGLE FLAME GRAPE HOUSE IVORY JUICE KNIFE LEMON MOUSE NIGHT OCEAN PIANO
    QUEEN RIVER STONE TIGER UNCLE VOICE WATER YACHT ZEBRA BOX CAT DOG EGG FOX GEM HAT ICE JAM KEY
    LEG MAP NUT OAK PEN RAT SUN TOY VAN WEB ZIP BIRD CAKE DOOR FISH GOLD HAND IRON KING LAMP MOON
    NEST OPEN PARK ROAD SHIP TREE WIND EXIT STOP SALE TAXI BANK CAFE HOTEL MUSIC PHONE TRAIN
""".split()
CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
FONTS = ["DejaVuSans-Bold.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono-Bold.ttf"]


def polygon(shape, cx, cy, r):
    """The corners of a shape of radius r around (cx, cy)."""
    if shape == "square":
        k = r * 0.86
        return [(cx - k, cy - k), (cx + k, cy - k), (cx + k, cy + k), (cx - k, cy + k)]
    if shape == "triangle":
        return [(cx, cy - r), (cx + r * 0.95, cy + r * 0.75), (cx - r * 0.95, cy + r * 0.75)]
    if shape == "diamond":
        return [(cx, cy - r), (cx + r * 0.75, cy), (cx, cy + r), (cx - r * 0.75, cy)]
    if shape == "star":
        radii = [r if i % 2 == 0 else r * 0.42 for i in range(10)]
        return [(cx + radii[i] * math.sin(i * math.pi / 5), cy - radii[i] * math.cos(i * math.pi / 5))
                for i in range(10)]
    k = r * 0.33  # cross
    return [(cx - k, cy - r), (cx + k, cy - r), (cx + k, cy - k), (cx + r, cy - k),
            (cx + r, cy + k), (cx + k, cy + k), (cx + k, cy + r), (cx - k, cy + r),
            (cx - k, cy + k), (cx - r, cy + k), (cx - r, cy - k), (cx - k, cy - k)]


def background(rng):
    base = rng.randint(222, 255)
    return tuple(min(255, base + rng.randint(-8, 8)) for _ in range(3))


class Canvas:
    """A picture and its labels: of each grid cell (color, shape, char), counted from 1; 0: none."""

    def __init__(self, rng, w, h):
        self.w, self.h = w, h
        self.image = Image.new("RGB", (w, h), background(rng))
        self.draw = ImageDraw.Draw(self.image)
        self.cells = [(0, 0, 0)] * (GRID * GRID)

    def mark(self, box, color, shape=0, char=0):
        """Label every grid cell whose centre lies in box."""
        x0, y0, x1, y1 = box
        for row in range(GRID):
            for col in range(GRID):
                x, y = (col + 0.5) * self.w / GRID, (row + 0.5) * self.h / GRID
                if x0 <= x <= x1 and y0 <= y <= y1:
                    self.cells[row * GRID + col] = (COLOR_NAMES.index(color) + 1, shape, char)


def draw_text(rng, canvas):
    """A word or a number -> (text, color), and the third of the picture (0 to 2) it stands in."""
    w, h = canvas.w, canvas.h
    text = rng.choice(WORDS) if rng.random() < 0.5 else str(rng.randint(0, 9999))
    color = rng.choice(COLOR_NAMES)
    name = rng.choice(FONTS)
    size = int(min(rng.randint(56, 104), 0.92 * w / (0.72 * max(3, len(text)))))
    font = ImageFont.truetype(name, size)
    widths = [canvas.draw.textlength(char, font=font) for char in text]
    x = rng.uniform(0.02 * w, max(0.02 * w, 0.98 * w - sum(widths)))
    y = rng.uniform(0.04 * h, 0.96 * h - size * 1.2)
    for char, width in zip(text, widths):
        canvas.draw.text((x, y), char, fill=COLORS[color], font=font)
        box = (x, y + size * 0.1, x + width, y + size * 1.1)
        canvas.mark(box, color, char=CHARS.index(char) + 1)
        x += width
    return (text, color), int((y + size * 0.6) / (h / 3))


def draw_shape(rng, canvas, place):
    """A shape in one of the nine places -> what it is."""
    w, h = canvas.w, canvas.h
    shape, color, big = rng.choice(SHAPES), rng.choice(COLOR_NAMES), rng.random() < 0.5
    r = (0.145 if big else 0.075) * min(w, h) * rng.uniform(0.92, 1.08)
    slack_x, slack_y = max(0, w / 6 - r - 2), max(0, h / 6 - r - 2)
    cx = (place % 3 + 0.5) * w / 3 + rng.uniform(-slack_x, slack_x)
    cy = (place // 3 + 0.5) * h / 3 + rng.uniform(-slack_y, slack_y)
    if shape == "circle":
        canvas.draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=COLORS[color])
    else:
        canvas.draw.polygon(polygon(shape, cx, cy, r), fill=COLORS[color])
    box = (cx - r * 0.8, cy - r * 0.8, cx + r * 0.8, cy + r * 0.8)
    canvas.mark(box, color, shape=SHAPES.index(shape) + 1)
    size = "large" if big else "small"
    return {"shape": shape, "color": color, "size": size, "place": PLACES[place]}


def scene(rng, w=TILE, h=TILE):
    canvas = Canvas(rng, w, h)
    facts = {"objects": [], "text": None}
    free = list(range(len(PLACES)))
    if rng.random() < 0.45:  # text, sometimes with shapes above or below
        facts["text"], third = draw_text(rng, canvas)
        free = [place for place in free if abs(place // 3 - third) > 1]
        count = rng.choice([0, 0, 1, 2]) if free else 0
    else:
        count = rng.choice([1, 1, 2, 2, 3, 4, 5])
    for place in sorted(rng.sample(free, min(count, len(free)))):
        facts["objects"].append(draw_shape(rng, canvas, place))
    return canvas.image, canvas.cells, facts


def article(words):
    return ("an " if words[0] in "aeio" else "a ") + words


def describe(facts):
    parts = [f"{article(o['size'] + ' ' + o['color'] + ' ' + o['shape'])} at the {o['place']}"
             for o in facts["objects"]]
    if facts["text"]:
        parts.append(f"the text {facts['text'][0]} in {facts['text'][1]}")
    if len(parts) > 1:
        parts[-1] = "and " + parts[-1]
    return "The image shows " + (", " if len(parts) > 2 else " ").join(parts) + "."


def ask_exists(rng, objects):
    if rng.random() < 0.5:
        o = rng.choice(objects)
        return f"Is there {article(o['color'] + ' ' + o['shape'])}?", "Yes."
    have = {(o["color"], o["shape"]) for o in objects}
    while True:
        pair = rng.choice(COLOR_NAMES), rng.choice(SHAPES)
        if pair not in have:
            return f"Is there {article(' '.join(pair))}?", "No."


def ask_choice(rng, o):
    options = rng.sample([c for c in COLORS if c != o["color"]], 3) + [o["color"]]
    rng.shuffle(options)
    lines = "".join(f"\n{letter}. {color}" for letter, color in zip("ABCD", options))
    return (f"What color is the {o['shape']}?{lines}\n"
            "Answer with the option's letter from the given choices directly.",
            "ABCD"[options.index(o["color"])])


def kinds_of_questions(facts):
    """What can be asked about a scene, and the objects whose shape occurs once."""
    objects = facts["objects"]
    shapes = [o["shape"] for o in objects]
    unique = [o for o in objects if shapes.count(o["shape"]) == 1]
    kinds = ["describe", "count"]
    if facts["text"]:
        kinds += ["read", "read", "read", "text color"]
    kinds += ["any text"]
    if objects:
        kinds += ["exists"]
        if unique:
            kinds += ["color of", "where", "size of", "choice"]
        if len(objects) == 1:
            kinds += ["what shape"]
    return kinds, unique


def question(rng, facts):
    """One question about the scene with its only right answer."""
    objects, text = facts["objects"], facts["text"]
    kinds, unique = kinds_of_questions(facts)
    kind = rng.choice(kinds)
    if kind == "describe":
        ways = ["Describe the image.", "Please describe the image shortly.", "What is in the image?"]
        return rng.choice(ways), describe(facts)
    if kind == "count":
        ways = ["How many shapes are there?", "Count the shapes."]
        return rng.choice(ways), f"{NUMBERS[len(objects)].capitalize()}."
    if kind == "read":
        ways = ["What does the text say?", "Read the text.", "What is written in the image?"]
        return rng.choice(ways), text[0]
    if kind == "any text":
        return "Is there any text in the image?", "Yes." if text else "No."
    if kind == "text color":
        return "What color is the text?", text[1].capitalize() + "."
    if kind == "exists":
        return ask_exists(rng, objects)
    if kind == "what shape":
        return "What shape is in the image?", f"{article(objects[0]['shape']).capitalize()}."
    o = rng.choice(unique)
    if kind == "color of":
        return f"What color is the {o['shape']}?", o["color"].capitalize() + "."
    if kind == "where":
        return f"Where is the {o['shape']}?", f"At the {o['place']}."
    if kind == "size of":
        return f"Is the {o['shape']} large or small?", o["size"].capitalize() + "."
    return ask_choice(rng, o)


def dialogue(rng, facts, turns=3):
    return [question(rng, facts) for _ in range(turns)]
