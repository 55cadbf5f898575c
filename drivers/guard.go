package drivers

import (
	"context"
	"io"
	"time"
)

// Guard closes port once ctx has ended and grace has passed since, so that a
// device that blocks a read or write cannot hold up the end. Release ends the
// guard and waits for it; call it when the port is not used any more.
func Guard(ctx context.Context, port io.Closer, grace time.Duration) (release func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
		case <-done:
			return
		}
		limit := time.NewTimer(grace)
		defer limit.Stop()
		select {
		case <-limit.C:
			_ = port.Close() // its error reaches the user of the port
		case <-done:
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
