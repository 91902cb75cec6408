// Package loop runs straight-line code on event loops: one loop per core waits
// for all its sockets with epoll(7) and runs, in coroutines, what reads from them
// and writes to them. A call that would block suspends its coroutine; nothing on
// a loop ever waits in the kernel but the loop itself. Linux only.
//
// What runs on a loop may use Conn, Signal, Sleep and Go of that loop. It must
// not wait in any other way (for a channel, say, or for a mutex that is held
// across one of these calls): all the loop's connections would wait with it. Only
// Post and Signal.Set may be called from elsewhere.
//
// Connections under crypto/tls need Conn.Batch: a tls.Conn holds a lock while it
// writes, and a write error spoils it for good, so writes below it neither wait
// nor fail. Conn.Flush sends what they gathered, and waits outside of crypto/tls.
package loop
