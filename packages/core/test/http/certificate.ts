/**
 * A self-signed certificate for 127.0.0.1, localhost and *.localhost, with its key, for servers of tests. It protects nothing.
 * Made once, for a hundred years: `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes`, and
 * `openssl ca -selfsign -startdate 20200101000000Z -enddate 21200101000000Z` with these names and `CA:TRUE`.
 */
export const certificate = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgh1qZ4BBS4jpBPnqk
neZTL2NEec3PBSGefnL/m6AuSv2hRANCAASsnmJkSbigNcHZcPRtQNyr2fV/CtRo
AhpxsMLWoHJUIqI+WRd7vOHcFxjJp3Cmf7Pa6qxqI+xUo5CRft8fkVp9
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBfzCCASagAwIBAgIBATAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA90b2tlbndl
bGwgdGVzdHMwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBoxGDAW
BgNVBAMMD3Rva2Vud2VsbCB0ZXN0czBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BKyeYmRJuKA1wdlw9G1A3KvZ9X8K1GgCGnGwwtagclQioj5ZF3u84dwXGMmncKZ/
s9rqrGoj7FSjkJF+3x+RWn2jWzBZMA8GA1UdEwEB/wQFMAMBAf8wJwYDVR0RBCAw
HocEfwAAAYIJbG9jYWxob3N0ggsqLmxvY2FsaG9zdDAdBgNVHQ4EFgQUBadSa5nF
RFNv8h/Ico2xmSAS7v4wCgYIKoZIzj0EAwIDRwAwRAIgPxigMzRolDi5gN/FC2Zl
BxcaJ6Nibkv6/76becDm+0QCICk8t1t9KNTjUJJt8hymJpM6MIkq5iyOXONmBedT
JMVI
-----END CERTIFICATE-----
`,
}
