"""The openai package against omma serve with the demo model: openai_client.py BASE_URL PICTURES_FOLDER

Asks everything that the dialogues beside the pictures ask, in one piece and streamed, with log-probabilities and
with wrong requests, and exits with 1 if something is not as it should be."""
import base64
import json
import pathlib
import sys

import openai

base_url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
client = openai.OpenAI(base_url=base_url, api_key="none", max_retries=0)
n_failed = 0


def check(what, found, expected):
    global n_failed
    if found != expected:
        print(f"FAIL: {what}: {found!r}, expected {expected!r}")
        n_failed += 1


def refused(what, error, text, **arguments):
    global n_failed
    try:
        client.chat.completions.create(model="demo", **arguments)
    except error as caught:
        check(f"{what}: {caught}", text in str(caught), True)
        return
    print(f"FAIL: {what} was not refused")
    n_failed += 1


models = [model.id for model in client.models.list()]
check("models", models, ["demo"])
n_questions = 0
for path in sorted(folder.glob("*.json")):
    dialogue = json.loads(path.read_text())
    picture = base64.b64encode(path.with_suffix(".png").read_bytes()).decode()
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + picture}}]
    messages = []
    for turn in dialogue["turns"]:
        content.append({"type": "text", "text": turn["question"]})
        messages.append({"role": "user", "content": content})
        reply = client.chat.completions.create(model="demo", messages=messages, temperature=0, max_tokens=64,
                                               logprobs=True, top_logprobs=3)
        choice = reply.choices[0]
        check(turn["question"], choice.message.content, turn["answer"])
        check("finish_reason", choice.finish_reason, "stop")
        check("tokens", "".join(token.token for token in choice.logprobs.content).strip(), turn["answer"])
        check("total_tokens", reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens)
        check("image_tokens", reply.usage.prompt_tokens_details.image_tokens % 256, 0)
        streamed, usage = "", None
        for chunk in client.chat.completions.create(model="demo", messages=messages, max_completion_tokens=64,
                                                    stream=True, stream_options={"include_usage": True}):
            streamed += (chunk.choices[0].delta.content or "") if chunk.choices else ""
            usage = chunk.usage or usage
        check("streamed", streamed, turn["answer"])
        check("usage of the stream", usage.prompt_tokens, reply.usage.prompt_tokens)
        messages.append({"role": "assistant", "content": turn["answer"]})
        content = []
        n_questions += 1

hi = [{"role": "user", "content": "hi"}]
refused("n 2", openai.BadRequestError, "n: more than one answer", messages=hi, n=2)
refused("tools", openai.BadRequestError, "tools: not supported", messages=hi,
        tools=[{"type": "function", "function": {"name": "f"}}])
refused("a long text", openai.BadRequestError, "context_length_exceeded",
        messages=[{"role": "user", "content": "word " * 20000}])
refused("a picture elsewhere", openai.BadRequestError, "fetches nothing", messages=[{"role": "user", "content": [
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}])
try:
    client.completions.create(model="demo", prompt="hi")
    print("FAIL: /v1/completions is there")
    n_failed += 1
except openai.NotFoundError:
    pass
print(f"openai {openai.__version__}: {n_questions} questions, {n_failed} failed")
sys.exit(n_failed != 0 or n_questions < 3)
