// Package process is the life of a process that is nothing but a proxy (Run):
//
//  1. take over the bound sockets that the service manager passes or that the
//     process before hands over, bind the others;
//  2. read the certificates, and leave those that only root may read, once they
//     are renewed, to a process of its own that opens them and does nothing else;
//  3. give up root and every capability, and read back that nothing is left;
//  4. serve, tell the service manager, let the process before retire;
//  5. on SIGTERM, or when the next process has taken over, drain.
//
// It changes the process for good. Who wants a proxy beside other things uses
// package proxy.
package process
