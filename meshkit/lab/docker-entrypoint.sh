#!/bin/sh
# The official Consul image has a script of this name, which the official chart starts the agent through. That one
# looks after folders, users and capabilities; here the chart's pod and the image have done so.
exec "$@"
