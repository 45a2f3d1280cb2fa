"""OCI registries: tags, digests and creation times of images, politely, with what was last known when one is down.

`scan` is the way in; `client` asks one question at a time. Both load urllib3, so import them where they are used.
"""
