"""Audits: quality, variety and copying of synthetic samples beside real ones, as a report."""

from ganaug.audit.context import ModelRecord
from ganaug.audit.report import AuditReport, build_audit
from ganaug.audit.samples import MIN_SAMPLES, Labelled

__all__ = ["MIN_SAMPLES", "AuditReport", "Labelled", "ModelRecord", "build_audit"]
