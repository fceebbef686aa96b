"""Audits: quality, variety and copying of synthetic samples beside real ones, as a report."""

from ganaug.audit.report import AuditReport, build_audit
from ganaug.audit.samples import MIN_SAMPLES

__all__ = ["MIN_SAMPLES", "AuditReport", "build_audit"]
