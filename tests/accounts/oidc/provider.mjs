// An identity provider for tests: oidc-provider with its own forms. Who signs in as "alice@corp.example" is her;
// "unverified:alice@corp.example" has the same address without proof. Arguments: port, redirect URI, client secret.
import Provider from "oidc-provider";

const [port, redirect, secret] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

function account(ctx, id) {
  const verified = !id.startsWith("unverified:");
  const email = id.replace(/^unverified:/, "");
  return {
    accountId: id,
    claims: async () => ({ sub: id, email, email_verified: verified, name: `Somebody called ${email.split("@")[0]}` }),
  };
}

const provider = new Provider(issuer, {
  clients: [{ client_id: "archipel", client_secret: secret, redirect_uris: [redirect] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  pkce: { methods: ["S256"], required: () => true },
  findAccount: account,
  cookies: { keys: ["only-for-tests"] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
