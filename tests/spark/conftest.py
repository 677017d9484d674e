"""A session of Spark on two cores, where a task may fail three times, and what the tests score in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import invented
import pytest
from pyspark.sql import DataFrame, SparkSession

from stance.model import Model
from stance.records import Article, Reject
from stance.store import load

Local = tuple[list[Article], list[Reject]]
# Spark's own code leaves sockets to the garbage collector.
SPARKS_OWN = "ignore:unclosed:ResourceWarning"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", SPARKS_OWN)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    folder = tmp_path_factory.mktemp("spark")
    os.environ["SPARK_CONF_DIR"] = str(Path(__file__).parent / "conf")
    # Otherwise Spark asks the network for the name of this machine.
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        # The tests are over before more than the quick compiler and one collector pays.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.memory": "1500m",
        "spark.local.dir": str(folder),
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10",
        "spark.sql.session.timeZone": "Asia/Kolkata",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2,4]").appName("tests of stance")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="session")
def model() -> Model:
    return load()


@pytest.fixture(scope="session")
def records() -> list[invented.Record]:
    return invented.records()


@pytest.fixture(scope="session")
def local(records: list[invented.Record], tmp_path_factory: pytest.TempPathFactory) -> Local:
    """What the local reader makes of the records."""
    return invented.read_locally(records, tmp_path_factory.mktemp("local"))


@pytest.fixture(scope="session")
def articles(spark: SparkSession, records: list[invented.Record]) -> DataFrame:
    """The records in seven partitions, with a column that nobody asks for."""
    rows = [(each["source"], each["text"], each["id"], each["date"], b"\xff") for each in records]
    df = spark.createDataFrame(rows, "source string, text string, id string, date string, other binary")
    return df.repartition(7).cache()
