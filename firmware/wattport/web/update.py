# SPDX-License-Identifier: MIT
"""GET /api/update, how it stands with updates; POST /api/update/receive, a ticket for an upload behind the restart;
/check, look at the address of the settings; /install, restart and fetch what is there, or at another address."""

from wattport.modules import fetch
from wattport.update.refusal import BundleError
from wattport.web.refused import Refused


def _done(answer):
    fetch("wattport.update.state", "let_go")()
    return answer


def get(web, request):
    return _done(fetch("wattport.update.state", "status")(web.app))


def _refused(kind, detail):
    return Refused({"busy": 409, "network": 502}.get(kind, 422), kind, detail)


async def post(web, request):
    app, document = web.app, request.document
    which = request.path.rsplit("/", 1)[1]
    try:
        if which == "receive":
            return {"ticket": fetch("wattport.update.job", "begin_upload")(app), "restart_s": 3}
        if which == "install":
            url, downgrade = document.get("url") or "", document.get("downgrade", False)
            if not isinstance(url, str) or len(url) > 512 or not isinstance(downgrade, bool):
                raise BundleError("address", "An address is a text of at most 512 characters.")
            fetch("wattport.update.command", "pull")(app, url, downgrade)
            return {"restart_s": 3}
        await fetch("wattport.update.check", "look")(app)
        if app.update["error"]:
            raise BundleError(app.update["error"], app.update["detail"])
        return get(web, request)
    except BundleError as error:
        raise _refused(error.kind, str(error))
    except OSError as error:
        raise Refused(500, "failed", "The flash did not take it: %s." % error)
    finally:
        _done(None)
