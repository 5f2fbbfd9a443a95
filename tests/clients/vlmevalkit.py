"""VLMEvalKit's own class for a server of InternVL against omma serve: vlmevalkit.py BASE_URL CHECKOUT PICTURES TSV

The class and all that it sends come from the checkout as they are.  Only the __init__ files of its packages are not
run, which import every model and benchmark that it knows, and vlmeval.dataset, of which two small functions are put
in.  The questions about the demo's pictures go through a TSV as a benchmark's do; with local files the answers must be
the reference's, through JPEG (as it sends pictures otherwise) there must be some."""
import base64
import concurrent.futures
import json
import pathlib
import sys
import types

base_url, checkout, folder, tsv = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
for name in ("vlmeval", "vlmeval.api"):
    module = types.ModuleType(name)
    module.__path__ = [str(checkout / name.replace(".", "/"))]
    sys.modules[name] = module
dataset = types.ModuleType("vlmeval.dataset")
dataset.DATASET_TYPE = lambda name, default="VQA": "VQA"
dataset.DATASET_MODALITY = lambda name, default="IMAGE": "IMAGE"
sys.modules["vlmeval.dataset"] = dataset

import pandas  # noqa: E402
from vlmeval.api.lmdeploy import LMDeployAPI  # noqa: E402

rows = []
for path in sorted(folder.glob("*.json")):
    image = base64.b64encode(path.with_suffix(".png").read_bytes()).decode()
    turn = json.loads(path.read_text())["turns"][0]
    rows.append({"index": len(rows), "image": image, "question": turn["question"], "answer": turn["answer"]})
rows = [dict(row, index=len(rows) * k + row["index"]) for k in range(4) for row in rows]
pandas.DataFrame(rows).to_csv(tsv, sep="\t", index=False)
data = pandas.read_csv(tsv, sep="\t")

n_failed = n_answers = 0
for media in ("local", "base64"):
    for stream in (False, True):
        model = LMDeployAPI(model="InternVL3-8B", api_base=base_url + "/chat/completions", retry=1, verbose=False,
                            timeout=120, custom_prompt="internvl2", local_media=media == "local", stream=stream,
                            max_tokens=64, temperature=0, do_sample=False, use_lmdeploy=True,
                            cot_prompt_version="v1", top_k=50)

        def ask(row):
            path = pathlib.Path(tsv).parent / f"{row['index']}.png"
            path.write_bytes(base64.b64decode(row["image"]))
            return model.generate([dict(type="image", value=str(path)), dict(type="text", value=row["question"])],
                                  dataset="Demo")

        items = data.to_dict("records")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for row, answer in zip(items, pool.map(ask, items)):
                n_answers += 1
                if model.fail_msg in answer or (media == "local" and answer != row["answer"]):
                    print(f"FAIL: {media}, stream {stream}: {row['question']}: {answer}, expected {row['answer']}")
                    n_failed += 1
print(f"VLMEvalKit's {LMDeployAPI.__name__}: {n_answers} answers, {n_failed} failed")
sys.exit(n_failed != 0 or n_answers < 40)
