// Step 7's example with pictures in Node.js, with sharp. `&decode=whole` in the
// query leaves it no other size to decode a JPEG at.
const { createServer } = require("node:http");
const sharp = require("sharp");

async function thumbnail(body, query) {
  let picture = sharp(body).autoOrient();
  if (query.get("decode") === "whole") {
    const whole = await picture.raw().toBuffer({ resolveWithObject: true });
    picture = sharp(whole.data, { raw: whole.info });
  }
  const width = Number(query.get("width"));
  return picture.resize({ width }).jpeg({ quality: 75 }).toBuffer();
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  if (pathname === "/non-blocking") {
    response.end("This page is non-blocking.");
    return;
  }
  const parts = await request.toArray();
  response.end(await thumbnail(Buffer.concat(parts), searchParams));
});
server.listen(process.env.PORT ?? 3000, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  console.log(`sharp ${sharp.versions.sharp} listening on ${url}`);
});
