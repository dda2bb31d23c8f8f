"""Images of 5 by 3 pixels, made with Pillow 11."""

from __future__ import annotations

from base64 import b64decode

from tui_chat.domain.images import Image, image_of

PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAUAAAADCAIAAADUVFKvAAAAFElEQVR4nGM8ISfHgASYGFABOh8AMCIBCrIPekkAAAAASUVORK5CYII="
)
GIF = b64decode("R0lGODdhBQADAIEAAMgeHgAAAAAAAAAAACwAAAAABQADAAAICAABCBxIsGBAADs=")
JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////"
    "////////2wBDAf//////////////////////////////////////////////////////////////////////////////////////wAARCAADAAUD"
    "ASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAH/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAAAQL/xAAUEQEA"
    "AAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCABb//2Q=="
)
WEBP = b64decode("UklGRjAAAABXRUJQVlA4ICQAAABwAQCdASoFAAMADMDOJaACdAFAAAD+2iYRho1+LuxHGSQAAAA=")
WEBP_LOSSLESS = b64decode("UklGRh4AAABXRUJQVlA4TBEAAAAvBIAAAAdQjyLXo/+BiOh/AAA=")
WEBP_ALPHA = b64decode(
    "UklGRlQAAABXRUJQVlA4WAoAAAAQAAAABAAAAgAAQUxQSAoAAAABB1CyiAhERP8DVlA4ICQAAABwAQCdASoFAAMADMDOJaACdAFAAAD+2iYRho1+"
    "LuxHGSQAAAA="
)
KINDS = {
    "png": PNG,
    "gif": GIF,
    "jpeg": JPEG,
    "webp": WEBP,
    "webp, lossless": WEBP_LOSSLESS,
    "webp, with alpha": WEBP_ALPHA,
}


def picture(name: str = "shot.png", data: bytes = PNG) -> Image:
    image = image_of(name, data)
    assert image is not None
    return image
