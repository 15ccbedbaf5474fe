"""Text and questions that come with installed packages: nothing to act in, but recorded like tasks of a simulator."""

from data_pipelines.suites.base.suite import Source, Suite, Task

TEXT = Suite(
    domain="text",
    tasks=(
        Task(
            name="text.python_docs", source=Source.TEXT, origin="pydoc_data.topics of the standard library",
            expert="written by people", requires="pydoc_data", default=True,
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
            expert="generated with the pictures", requires="easy_vqa", episodes=4000, default=True,
        ),
    ),
)  # fmt: skip
