"""easy-vqa's questions about drawn shapes."""

from data_pipelines.suites.base.bundle import Bundle, Question


def easy_vqa() -> Bundle:
    """All questions; the package's test questions, about other pictures than those of training, are held out."""
    return Bundle(easy_vqa_questions("train"), easy_vqa_questions("test"), size=(64, 64))


def easy_vqa_questions(split: str) -> list[Question]:
    """easy-vqa's "train" or "test" questions, in the package's order; pictures are paths."""
    import easy_vqa

    if split == "train":
        questions, paths = easy_vqa.get_train_questions(), easy_vqa.get_train_image_paths()
    else:
        questions, paths = easy_vqa.get_test_questions(), easy_vqa.get_test_image_paths()
    return [Question(text, answer, paths[image]) for text, answer, image in zip(*questions, strict=True)]
