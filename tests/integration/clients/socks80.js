// The npm package "socks" (SAP's mail client uses it) with method 0x80, as an application would write it.
// node socks80.js MODULES PROXY-HOST PROXY-PORT TARGET-HOST TARGET-PORT TOKEN-FILE LOCATION TEXT
// Sends TEXT, ends its direction, prints everything that comes back.
'use strict';
const fs = require('fs');
const [modules, proxyHost, proxyPort, host, port, tokenFile, location, text] = process.argv.slice(2);
const { SocksClient } = require(require.resolve('socks', { paths: [modules] }));
const token = fs.readFileSync(tokenFile);

const proxy = {
	host: proxyHost,
	port: Number(proxyPort),
	type: 5,
	custom_auth_method: 0x80,
	custom_auth_request_handler: async () => {
		const length = Buffer.alloc(4);
		length.writeUInt32BE(token.length);
		const encoded = Buffer.from(Buffer.from(location).toString('base64'));
		return Buffer.concat([Buffer.from([1]), length, token, Buffer.from([encoded.length]), encoded]);
	},
	custom_auth_response_size: 2,
	custom_auth_response_handler: async (answer) => answer[1] === 0x00,
};

SocksClient.createConnection({ proxy, command: 'connect', destination: { host, port: Number(port) } })
	.then(({ socket }) => {
		socket.on('data', (part) => process.stdout.write(part));
		socket.on('error', (e) => { console.error(e.message); process.exit(3); });
		socket.resume();
		socket.end(text);
	})
	.catch((e) => { console.error(e.message); process.exit(2); });
