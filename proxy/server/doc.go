// Package server speaks with clients, on one event loop per core. For a new
// connection it
//
//  1. reads the PROXY header of a trusted proxy, and makes the TLS handshake;
//  2. speaks HTTP/1.1 (h1conn, with package h1) or HTTP/2 (h2session and h2stream,
//     with package h2), as that agreed;
//  3. reads a request's head, waits for its body to begin, and hands it to package
//     exchange, which asks for the body and gives the answer through the methods of
//     exchange.Client.
//
// A connection between two requests is nothing but its TLS state: coroutine and
// buffers come with the first byte of a request and go with the last of its answer.
package server
