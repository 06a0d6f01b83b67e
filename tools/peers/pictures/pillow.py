# Step 7's example with pictures in Python, with Pillow. `&decode=whole` in the
# query leaves it no other size to decode a JPEG at, `&decode=least` the smallest
# that is large enough; else it takes one at least twice as large.
import io
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import PIL
from PIL import Image, ImageOps


def thumbnail(body, width, decode):
    picture = Image.open(io.BytesIO(body))
    if decode == "whole":
        picture.load()
    gap = 1 if decode == "least" else 2
    height = max(1, round(picture.height * width / picture.width))
    picture.thumbnail((width, height), reducing_gap=gap)
    ImageOps.exif_transpose(picture, in_place=True)
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=75)
    return jpeg.getvalue()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"This page is non-blocking.")

    def do_POST(self):
        query = parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        decode = query.get("decode", [""])[0]
        self.answer(thumbnail(body, int(query["width"][0]), decode))

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


# By default, of six that come at once one comes again a second later.
ThreadingHTTPServer.request_queue_size = 128
address = ("127.0.0.1", int(os.environ.get("PORT", 3000)))
server = ThreadingHTTPServer(address, Handler)
url = f"http://127.0.0.1:{server.server_port}"
print(f"Pillow {PIL.__version__} listening on {url}", flush=True)
server.serve_forever()
