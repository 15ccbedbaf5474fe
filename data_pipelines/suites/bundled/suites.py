"""The tasks that are made from texts and pictures of packages, each with its source and licence."""

import functools
from collections.abc import Callable

from data_pipelines.suites.base.bundle import Bundle
from data_pipelines.suites.base.suite import Source, Suite, Task
from data_pipelines.suites.bundled import dialogues, documents, files, questions

_PEOPLE = "written by people"


def _pictures(name: str) -> Callable[[], Bundle]:
    """A function of `pictures`, which is imported when it is called: a list of tasks needs no Pillow."""

    def read() -> Bundle:
        from data_pipelines.suites.bundled import pictures

        return getattr(pictures, name)()

    return read


def _docstrings(package: str, licence: str) -> Task:
    return Task(
        name=f"text.{package}_docs", source=Source.TEXT, origin=f"docstrings of {package}", expert=_PEOPLE,
        requires="", licence=licence,  # gato-jax depends on all of them.
        make_examples=functools.partial(documents.package_docstrings, package), seconds=20.0,
    )  # fmt: skip


TEXT = Suite(
    domain="text",
    packages=("numpy", "scipy", "matplotlib", "jax"),
    optional=True,
    tasks=(
        Task(
            name="text.python_docs", source=Source.TEXT, origin="pydoc_data.topics of the standard library",
            expert=_PEOPLE, requires="pydoc_data", licence="PSF-2.0", default=True,
            make_examples=documents.python_topics,
        ),
        Task(
            name="text.python_library", source=Source.TEXT, origin="docstrings of the standard library",
            expert=_PEOPLE, requires="", licence="PSF-2.0", make_examples=documents.library_docstrings, seconds=20.0,
        ),
        _docstrings("numpy", "BSD-3-Clause"),
        _docstrings("scipy", "BSD-3-Clause"),
        _docstrings("matplotlib", "Matplotlib's, of the PSF's kind"),
        _docstrings("jax", "Apache-2.0"),
        Task(
            name="text.python_manual", source=Source.TEXT, origin="sources of Python's manual", expert=_PEOPLE,
            requires="", licence="PSF-2.0", files=files.PYTHON_MANUAL, install="apt-get install python3-doc",
            make_examples=documents.python_manual,
        ),
        Task(
            name="text.wordnet", source=Source.TEXT, origin="WordNet's entries", expert=_PEOPLE, requires="",
            licence="WordNet", files=tuple(f"{place}/data.noun" for place in files.WORDNET),
            install="apt-get install wordnet-base", make_examples=documents.wordnet,
        ),
    ),
)  # fmt: skip
CAPTIONS = Suite(
    domain="captions",
    extra="language",
    packages=("matplotlib", "scikit-learn"),
    optional=True,
    tasks=(
        Task(
            name="captions.symbols", source=Source.CAPTIONS, origin="DejaVu Sans of matplotlib, names of Unicode",
            expert="drawn with their names", requires="", licence="Bitstream Vera",
            make_examples=_pictures("symbols"), episodes=6000, spoken=True,
        ),
        Task(
            name="captions.emoji", source=Source.CAPTIONS, origin="Noto Color Emoji, names of Unicode",
            expert="drawn with their names", requires="", licence="OFL-1.1", files=files.EMOJI_FONT,
            install="apt-get install fonts-noto-color-emoji", make_examples=_pictures("emoji"), episodes=2000,
            spoken=True,
        ),
        Task(
            name="captions.digits", source=Source.CAPTIONS, origin="handwritten digits of scikit-learn",
            expert=_PEOPLE, requires="sklearn", licence="CC-BY-4.0", make_examples=_pictures("digits"), episodes=1800,
            spoken=True,
        ),
        Task(
            name="captions.stamps", source=Source.CAPTIONS, origin="stamps of Tux Paint", expert=_PEOPLE, requires="",
            licence="GPL-2.0", files=files.STAMPS, install="apt-get install tuxpaint-stamps-default",
            make_examples=_pictures("stamps"), episodes=1000, spoken=True,
        ),
    ),
)  # fmt: skip
VQA = Suite(
    domain="vqa",
    extra="demo",
    packages=("easy-vqa",),
    tasks=(
        Task(
            name="vqa.easy_vqa", source=Source.VQA, origin="easy-vqa package data",
            expert="generated with the pictures", requires="easy_vqa", licence="MIT", episodes=4000, default=True,
            make_examples=questions.easy_vqa, spoken=True,
        ),
    ),
)  # fmt: skip
DIALOGUE = Suite(
    domain="dialogue",
    extra="language",
    packages=("chatterbot-corpus",),
    optional=True,
    tasks=(
        Task(
            name="dialogue.chatterbot", source=Source.TEXT, origin="English dialogues of chatterbot-corpus",
            expert=_PEOPLE, requires="chatterbot_corpus", licence="BSD, as its metadata say",
            make_examples=dialogues.chatterbot_corpus, spoken=True,
        ),
    ),
)  # fmt: skip
