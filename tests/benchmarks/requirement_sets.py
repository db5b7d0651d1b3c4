"""Twenty sets of requirements as people put them into layers."""

from __future__ import annotations

SETS: tuple[tuple[str, ...], ...] = (
    ("scikit-learn", "pandas"),
    ("lightgbm", "pandas"),
    ("xgboost", "shap"),
    ("transformers", "onnxruntime"),
    ("opencv-python-headless", "scikit-image", "pillow"),
    ("polars", "duckdb", "pyarrow", "deltalake"),
    ("dask[dataframe]", "distributed", "zarr"),
    ("fastapi[standard]", "mangum"),
    ("django", "djangorestframework", "celery[redis]"),
    ("flask", "sqlalchemy[asyncio]", "alembic", "marshmallow"),
    ("psycopg[binary,pool]", "asyncpg", "pymongo", "redis[hiredis]", "oracledb"),
    ("snowflake-connector-python[pandas]", "pymysql[rsa]"),
    ("dbt-core", "dbt-postgres"),
    ("apache-airflow",),
    ("awswrangler", "s3fs", "boto3"),
    ("aws-lambda-powertools[all]", "pydantic-settings"),
    ("google-cloud-bigquery", "google-cloud-storage"),
    ("opentelemetry-distro", "opentelemetry-exporter-otlp", "opentelemetry-instrumentation-botocore"),
    ("urllib3<2", "requests", "botocore<1.30"),
    ("numpy<2", "pandas<2.3", "scipy"),
)
