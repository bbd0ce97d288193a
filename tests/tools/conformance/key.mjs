// Gives every request that this process sends our key: the suite cannot be told one.
import { subscribe } from "node:diagnostics_channel";

const bearer = `Bearer ${process.env.OMNIROUTE_API_KEY}`;

subscribe("undici:request:create", ({ request }) => request.addHeader("authorization", bearer));
subscribe("http.client.request.created", ({ request }) =>
  request.setHeader("authorization", bearer),
);
