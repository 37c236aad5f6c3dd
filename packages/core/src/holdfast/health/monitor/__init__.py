"""Services that are looked at again and again: their states, outages, and what is done about them."""

from holdfast.health.monitor.duty import Ties
from holdfast.health.monitor.monitor import HealthMonitor, WatchOptions
from holdfast.health.monitor.report import ActiveAlert, MonitorReport, Outage, ServiceReport
from holdfast.health.monitor.seat import IS_SHARED, Seat
from holdfast.health.monitor.standing import Standing, State, Thresholds
from holdfast.health.monitor.watch import Recovery, Watch

__all__ = [
    "IS_SHARED",
    "ActiveAlert",
    "HealthMonitor",
    "MonitorReport",
    "Outage",
    "Recovery",
    "Seat",
    "ServiceReport",
    "Standing",
    "State",
    "Thresholds",
    "Ties",
    "Watch",
    "WatchOptions",
]
