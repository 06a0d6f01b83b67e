// Stage 2: one worker runs the loop and sends its result back as a message.
import { createServer } from "node:http";
import { Worker } from "node:worker_threads";
import { iterations, listen, respond } from "./common.mjs";

const routes = {
  "/non-blocking": () => "This page is non-blocking.",
  "/blocking": async () => `Result is ${await spawnWorker(iterations)}`,
};

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
