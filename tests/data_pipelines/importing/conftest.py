"""What the tests of all imports share: data sets that TFDS itself builds."""

import pytest
import tensorflow_datasets as tfds


@pytest.fixture(scope="session")
def build_tfds():
    """(directory, name, features, examples) to the prepared TFDS data set, as `tfds build` leaves it."""

    def build(directory, name, features, examples, file_format="tfrecord"):
        class Local(tfds.core.GeneratorBasedBuilder, skip_registration=True):
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

            def _split_generators(self, manager):
                return {"train": self._generate_examples()}

            def _generate_examples(self):
                yield from enumerate(examples)

        Local.name = name
        builder = Local(data_dir=str(directory), file_format=file_format)
        builder.download_and_prepare()
        return directory / name / "1.0.0"

    return build
