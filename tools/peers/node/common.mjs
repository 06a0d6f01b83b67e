// What the three servers share. The lessons are elsewhere.
import { availableParallelism } from "node:os";
import { basename } from "node:path";

export const iterations = setting("ITERATIONS", 10_000_000_000);
export const threads = setting("THREADS", Math.min(4, availableParallelism()));

// The work: adds one, this many times.
export function count(iterations) {
  let counter = 0;
  for (let i = 0; i < iterations; i++) {
    counter++;
  }
  return counter;
}

// Divides the total into exact shares.
export function shares(total, parts) {
  const rest = total % parts;
  const share = (total - rest) / parts;
  return Array.from({ length: parts }, (_, i) => share + (i < rest ? 1 : 0));
}

// Responds with what the route returns. A failure isn't the client's fault: it
// gets 500, and only our log has the reason.
export function respond(routes) {
  return async ({ url }, response) => {
    response.setHeader("Content-Type", "text/plain; charset=utf-8");
    try {
      if (Object.hasOwn(routes, url)) {
        response.end(await routes[url]());
      } else {
        response.writeHead(404).end("There is no such page.");
      }
    } catch (error) {
      console.error(error);
      response
        .writeHead(500)
        .end("The worker failed; the server is still running.");
    }
  };
}

// Serves this machine until a signal arrives. Requests in progress are finished.
export function listen(server) {
  const name = basename(process.argv[1], ".mjs");
  server.on("error", (error) => fail(1, `can't listen: ${error.message}`));
  server.listen(setting("PORT", 3000), "127.0.0.1", () => {
    console.log(
      `${name} listening on http://127.0.0.1:${server.address().port}`,
    );
  });
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => server.close());
  }
}

function setting(name, standard) {
  const text = process.env[name] ?? String(standard);
  if (!/^\d[\d_]*$/.test(text)) {
    fail(2, `${name}: expected a whole number, not '${text}'`);
  }
  return Number(text.replaceAll("_", ""));
}

function fail(status, message) {
  console.error(message);
  process.exit(status);
}
