"""Hosts by which a forge is reached over SSH where port 22 is closed.

https://docs.github.com/en/authentication/troubleshooting-ssh/using-ssh-over-the-https-port,
https://docs.gitlab.com/user/ssh/ (altssh.gitlab.com)
"""

from __future__ import annotations

from typing import Final

ALIASES: Final = {
    "www.github.com": "github.com",
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
}
"""Host -> the forge's own."""
