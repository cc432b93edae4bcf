# SPDX-License-Identifier: MIT
"""POST /api/prices: prices of the market for some time, as `feed.put` takes them. Answers how many half-hours have a
price by it."""

from wattport.modules import forget
from wattport.web.refused import Refused


def post(web, request):
    from wattport.tariff import feed
    forget("wattport.tariff.feed")
    forget("wattport.tariff.market")
    try:
        return {"half_hours": feed.put(request.document)}
    except feed.PriceError as error:
        place, _, detail = str(error).partition(": ")
        raise Refused(422, "setting", detail, setting=place)
    except OSError:
        raise Refused(500, "failed", "The prices could not be written.")
