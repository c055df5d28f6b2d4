/** A token request as people write it by hand. */
export async function requestToken(
  tokenEndpoint: string,
  clientId: string,
  clientSecret: string,
): Promise<{ accessToken: string; expiresInMs: number }> {
  const response = await fetch(tokenEndpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  if (!response.ok) throw new Error(`token endpoint: ${response.status}`)
  const { access_token: accessToken, expires_in: expiresIn } = (await response.json()) as {
    access_token: string
    expires_in: number
  }
  return { accessToken, expiresInMs: expiresIn * 1000 }
}
