"""The page of omma serve in headless Chromium: page.py BASE_URL PICTURE CHROMIUM SCREENSHOT

Drops the picture, asks twice, and looks at the answers, at what the page says of the engine, and for anything that
the content security policy or the console complains of."""
import base64
import pathlib
import sys

from playwright.sync_api import expect, sync_playwright

base_url, picture, chromium, screenshot = sys.argv[1:]
problems = []
drop = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, {type: 'image/png'}));
  document.getElementById('picture').dispatchEvent(
    new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 900, "height": 700})
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url)
            if not request.url.startswith((base_url, "data:")) else None)
    page.goto(base_url + "/")
    expect(page.locator("#model")).to_have_text("demo")
    page.evaluate(drop, ["shapes.png", base64.b64encode(pathlib.Path(picture).read_bytes()).decode()])
    expect(page.locator("#hint")).to_have_text("shapes.png")
    for question, answer in ("How many shapes are there?", "Two."), ("What color is the circle?", "Blue."):
        page.fill("#text", question)
        page.press("#text", "Enter")
        expect(page.locator(".assistant").last).to_have_text(answer)
        expect(page.locator("#ask")).to_have_text("Ask")
    expect(page.locator("#state")).to_contain_text("tokens/s")
    page.screenshot(path=screenshot)
    if page.evaluate("document.querySelector('.user img').naturalWidth") == 0:
        problems.append("the picture is not shown")
    notes = page.locator(".note").all_inner_texts()
    if len(notes) != 2 or "256 of pictures" not in notes[0]:
        problems.append(f"notes: {notes}")
    page.click("#reset")
    if page.locator(".turn").count() != 0:
        problems.append("New leaves turns")
    # a script that comes with a text is shown, not run
    page.fill("#text", "<img src=x onerror=alert(1)>")
    page.press("#text", "Enter")
    expect(page.locator("#ask")).to_have_text("Ask")
    if page.locator(".user img").count() != 0:
        problems.append("a text became an element")
    browser.close()
for problem in problems:
    print("FAIL:", problem)
print(f"page: {len(problems)} problems")
sys.exit(bool(problems))
