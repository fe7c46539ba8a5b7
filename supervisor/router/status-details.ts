/** One google.rpc refusal in full; see the plugin contract, section 4. */
export interface StatusDetails {
  readonly code: number;
  readonly message: string;
  /** google.rpc.ErrorInfo, domain "bulkhead". */
  readonly info: { readonly reason: string; readonly metadata: Readonly<Record<string, string>> } | undefined;
  /** google.rpc.RetryInfo, milliseconds. */
  readonly retryAfterMs: number | undefined;
}

const prefix = "type.googleapis.com/google.rpc.";

/** google.rpc.Status with its details, for `grpc-status-details-bin`. By hand: the router loads no protobuf library. */
export function encodeStatus(status: StatusDetails): Buffer {
  const parts = [varintField(1, status.code), textField(2, status.message)];
  if (status.info !== undefined) parts.push(anyField("ErrorInfo", encodeErrorInfo(status.info)));
  if (status.retryAfterMs !== undefined) parts.push(anyField("RetryInfo", encodeRetryInfo(status.retryAfterMs)));
  return Buffer.concat(parts);
}

function encodeErrorInfo(info: NonNullable<StatusDetails["info"]>): Buffer {
  const entries = Object.entries(info.metadata).map(([key, value]) =>
    bytesField(3, Buffer.concat([textField(1, key), textField(2, value)])),
  );
  return Buffer.concat([textField(1, info.reason), textField(2, "bulkhead"), ...entries]);
}

function encodeRetryInfo(milliseconds: number): Buffer {
  const seconds = Math.floor(milliseconds / 1000);
  const nanos = Math.round((milliseconds - seconds * 1000) * 1e6);
  return bytesField(1, Buffer.concat([varintField(1, seconds), varintField(2, nanos)]));
}

function anyField(name: string, value: Buffer): Buffer {
  return bytesField(3, Buffer.concat([textField(1, prefix + name), bytesField(2, value)]));
}

function textField(number: number, text: string): Buffer {
  return text === "" ? Buffer.alloc(0) : bytesField(number, Buffer.from(text, "utf8"));
}

function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varintField(number: number, value: number): Buffer {
  return value === 0 ? Buffer.alloc(0) : Buffer.concat([varint(number << 3), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
