// Stage 3: N workers count a share each; their results are joined.
import { createServer } from "node:http";
import { Worker } from "node:worker_threads";
import { iterations, listen, respond, shares, threads } from "./common.mjs";

const routes = {
  "/non-blocking": () => "This page is non-blocking.",
  "/blocking": async () => `Result is ${await countAll()}`,
};

// Has each worker count a share. If one fails, the others keep running.
async function countAll() {
  const counts = await Promise.all(
    shares(iterations, threads).map(spawnWorker),
  );
  return counts.reduce((sum, count) => sum + count);
}

// Starts a worker. However it ends, its promise is settled exactly once.
function spawnWorker(workerData) {
  return new Promise((resolve, reject) => {
    const file = new URL("worker.mjs", import.meta.url);
    const worker = new Worker(file, { workerData });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`it ended with ${code}`)));
  });
}

listen(createServer(respond(routes)));
