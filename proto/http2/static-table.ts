import { HeaderField } from "./header-field.ts";

/** RFC 7541 appendix A, in order; "name=value", or the name alone. */
const rows =
  ":authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|" +
  ":status=204|:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|" +
  "accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|" +
  "authorization|cache-control|content-disposition|content-encoding|content-language|content-length|" +
  "content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|" +
  "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|" +
  "proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|" +
  "strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate";

/** The static table; index 1 of the RFC is element 0. */
export const staticTable: readonly HeaderField[] = rows.split("|").map((row) => {
  const [name = "", value = ""] = row.split("=");
  return new HeaderField(name, value);
});

const indexesByName = new Map<string, number>();
const indexesByField = new Map<string, number>();
for (const [at, field] of staticTable.entries()) {
  if (!indexesByName.has(field.name)) indexesByName.set(field.name, at + 1);
  indexesByField.set(`${field.name}\n${field.value}`, at + 1);
}

/** Static index of a field with that very value; 0: none. */
export function staticIndexOf(name: string, value: string): number {
  return indexesByField.get(`${name}\n${value}`) ?? 0;
}

/** Static index of a field with that name; 0: none. */
export function staticNameIndexOf(name: string): number {
  return indexesByName.get(name) ?? 0;
}
