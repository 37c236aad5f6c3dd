"""What the processes of Celery load.

celery -A examples.shop_worker.worker worker
celery -A examples.shop_worker.worker beat
"""

import holdfast
from examples.shop_worker.app import app

__all__ = ["app"]

holdfast.configure(
    service="shop-worker", reporters=["logging"], logging={"format": "json"}
).install()
