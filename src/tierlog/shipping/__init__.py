"""
Finished segments to a store, in the background, until each is there.

``_ledger`` notes what was sealed and shipped, ``_upload`` moves one segment,
``_queue`` says which is next and when, ``_shipper`` has the threads, ``_cataloguer``
tells the catalog, and ``_shipping`` joins them; ``_checkpoints`` stores what is
still open, ``_status`` tells others of trouble, and ``_upkeep`` runs what is due from time to time.
"""

from __future__ import annotations

from tierlog.shipping._checkpoints import Checkpoints
from tierlog.shipping._ledger import Ledger, Sealed, Shipped, sealed
from tierlog.shipping._marker import Destination, destination, note_destination
from tierlog.shipping._shipper import Attempt
from tierlog.shipping._shipping import Shipping
from tierlog.shipping._status import Trouble, note_trouble, trouble
from tierlog.shipping._upkeep import Task, Upkeep
from tierlog.shipping._upload import Uploaded, Uploader, object_metadata


__all__ = [
    "Attempt",
    "Checkpoints",
    "Destination",
    "Ledger",
    "Sealed",
    "Shipped",
    "Shipping",
    "Task",
    "Trouble",
    "Upkeep",
    "Uploaded",
    "Uploader",
    "destination",
    "note_destination",
    "note_trouble",
    "object_metadata",
    "sealed",
    "trouble",
]
