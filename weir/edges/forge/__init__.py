"""Pull requests on GitHub, GitLab and Gitea (Forgejo too), by their REST APIs.

`propose` is the way in; `names` is pure. `propose` and `api` load urllib3, so import them where they are used.
"""
