# SPDX-License-Identifier: MIT
"""An update that was asked for over MQTT or the API: the bundle at an address. Loaded for that, then forgotten."""

from wattport.modules import fetch
from wattport.update.refusal import BundleError
from wattport.version import VERSION

_INSTALL = "INSTALL"  # what Home Assistant sends: the one at the address of the settings


def pull(app, url="", downgrade=False):
    """Restart, and fetch the bundle. url: "" for that of the settings. BundleError, OSError."""
    url = url or app.update["url"]
    if not url:
        raise BundleError("address", "No address is set to look at: update.url.")
    chip = fetch("wattport.update.running", "running")(VERSION)["chip"]
    try:
        fetch("wattport.url", "expand")(url, chip)
    except ValueError:
        raise BundleError("address", "The address of the bundle has to begin with http:// or https://.")
    fetch("wattport.update.job", "begin")(app, kind="pull", url=url, downgrade=downgrade)


def take(app, text, retained, whole):
    """What came over MQTT: INSTALL or an address; what is wrong with it is told there, too."""
    if retained:  # it would come again after each restart
        return
    try:
        text = str(text, "utf-8") if whole else "a cut one"
    except UnicodeError:
        return
    try:
        app.log("info", "update: asked for over MQTT")
        pull(app, "" if text == _INSTALL else text or "none")
        app.update["error"] = app.update["detail"] = ""
    except BundleError as error:
        app.update["error"], app.update["detail"] = error.kind, str(error)
    except OSError as error:
        app.update["error"], app.update["detail"] = "flash_full", str(error)
    app.tell_update()
