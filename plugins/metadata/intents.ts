/** Name of the counter that numbers intents, of whatever operation. */
export const intentCounter = "intent";
