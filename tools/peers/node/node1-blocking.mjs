// Stage 1: the loop runs inside the handler. Everything else waits.
import { createServer } from "node:http";
import { count, iterations, listen, respond } from "./common.mjs";

const routes = {
  "/non-blocking": () => "This page is non-blocking.",
  "/blocking": () => `Result is ${count(iterations)}`,
};

listen(createServer(respond(routes)));
