// Counts its share in a thread of its own, and sends the count back.
import { parentPort, workerData } from "node:worker_threads";
import { count } from "./common.mjs";

parentPort.postMessage(count(workerData));
