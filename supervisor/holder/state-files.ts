/** What control and router leave behind in the state folder, and nobody reads after a clean end. */
export const leftFiles: readonly string[] = ["routes", "router.sock", "epoch", "exits", "parts.json"];
