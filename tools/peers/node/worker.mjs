// Counts its share on its own thread, and sends the count back.
import { parentPort, workerData } from "node:worker_threads";
import { count } from "./common.mjs";

parentPort.postMessage(count(workerData));
