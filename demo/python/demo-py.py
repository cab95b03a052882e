"""Greets the client from Python."""

Schema = ({"greeting": {"type": "string", "default": "Hello"}},)

version = "1.0.0"
priority = 10


class Plugin:
    def __init__(self, config):
        self.config = config

    def access(self, kong):
        """Runs before the request goes to the upstream."""
        address, error = kong.client.get_ip()
        if error:
            kong.log.err("no client address: ", error)
            return
        kong.response.set_header("x-demo-python", "%s, %s, from Python" % (self.config["greeting"], address))

    def preread(self, kong):
        """Runs before a stream goes to the upstream."""
        address, error = kong.client.get_ip()
        if error:
            kong.log.err("no client address: ", error)
            return
        kong.log.notice("demo-py saw a stream from ", address)
