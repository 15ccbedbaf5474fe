"""How often the text tokenizer that acts and the one that trains choose different pieces.

Acting uses the package `sentencepiece`, training `tensorflow-text`, which holds another version of the same library.
Where several segmentations of a run of one character have equal scores, they may break the tie differently.

    python -m benchmarks.text_ties --data DATA [--task text.python_docs] [--text-model MODEL] [--texts 2000]

prints the tokens compared, how many differ, and the first texts where they do.
"""

import argparse
import os

os.environ.setdefault("MUJOCO_GL", "disabled")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    """Compares the texts of one recorded task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--task", default="text.python_docs")
    parser.add_argument("--text-model", default="")
    parser.add_argument("--texts", type=int, default=2000, help="documents compared, at most")
    arguments = parser.parse_args()

    import numpy as np
    import tensorflow as tf

    from data_pipelines.seqio_tasks.sources import TextDataSource
    from data_pipelines.storage.recorded_tasks import read_task
    from data_pipelines.tokenizers.text import TextTokenizer, resolve_text_model
    from data_pipelines.tokenizers.tf.text import TfTextTokenizer

    acting = TextTokenizer(resolve_text_model(arguments.text_model, arguments.data))
    training = TfTextTokenizer(acting)
    source = TextDataSource(read_task(arguments.data, arguments.task))
    texts = tokens = differing = unlike = shown = 0
    for split in source.splits:
        for example in source.get_dataset(split, shuffle=False).as_numpy_iterator():
            if texts == arguments.texts:
                break
            text = example["text"].decode()
            ours = np.asarray(acting.encode(text))
            theirs = training.encode(tf.constant([text]))[0].numpy()
            texts, tokens = texts + 1, tokens + len(ours)
            if len(ours) != len(theirs) or acting.decode(ours) != acting.decode(theirs):
                unlike += 1
                continue
            wrong = np.flatnonzero(ours != theirs)
            differing += len(wrong)
            if len(wrong) and shown < 3:
                shown += 1
                place = slice(max(0, wrong[0] - 1), wrong[-1] + 2)
                pieces = [[acting.piece(token) for token in ids[place][:8]] for ids in (ours, theirs)]
                print(f"sentencepiece {pieces[0]}\ntensorflow-text {pieces[1]}")
    print(f"{arguments.task}, {acting.path}: {texts:,} texts, {tokens:,} tokens, {differing:,} differ", end="")
    print(f", {unlike:,} texts of another length or decoded text")


if __name__ == "__main__":
    main()
