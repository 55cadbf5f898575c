package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"traveler.example/drivers"
	"traveler.example/drivers/record"
)

func (a *app) readerRecord() *cobra.Command {
	var f readerFlags
	var events int
	var out string
	c := a.command("record PORT --out FILE", "Write down what passes between a driver and its reader",
		`Watch a reader and write down every byte that passes between it and its driver,
with the times. "reader play" has the driver live through it again, without the
reader: what was seen on a desk becomes a test, or part of a report of a fault.`,
		func(ctx context.Context, args []string) (err error) {
			x, err := f.find(ctx, args[0])
			if err != nil {
				return portHint(args[0], err)
			}
			file, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			var recorder *record.Recorder
			tape := &tape{file: file}
			r, err := f.driver(args[0], x, func(open drivers.Opener) drivers.Opener {
				recorder = record.NewRecorder(open, tape)
				return recorder.Open
			})
			if err != nil {
				return err
			}
			if err := a.recordUntil(ctx, r, events, tape); err != nil {
				return err
			}
			if err := recorder.Err(); err != nil {
				return fmt.Errorf("%s: %w", out, err)
			}
			fmt.Fprintf(a.err, "recorded in %s; traveler reader play %s --device %s plays it\n", out, out, x.device)
			return nil
		})
	c.Flags().StringVar(&out, "out", "", "file to write; it must not be there yet")
	_ = c.MarkFlagRequired("out") // the flag is defined above
	c.Flags().IntVar(&events, "events", 0, "end after so many events; 0: record until interrupted")
	return f.add(c)
}

// recordUntil watches a reader and stops the tape before its driver is ended: what
// a driver says to take leave is not to be played to one that goes on.
func (a *app) recordUntil(ctx context.Context, r drivers.Reader, events int, t *tape) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		t.stop()
		cancel()
	})()
	seen := 0
	err := drivers.Watch(inner, r, func(e drivers.Event) (bool, error) {
		if seen++; seen == events {
			t.stop()
		}
		return seen == events, a.printEvent(r, e)
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// tape is a file that takes no more once it was stopped.
type tape struct {
	mu      sync.Mutex
	file    io.Writer
	stopped bool
}

func (t *tape) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

func (t *tape) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return len(b), nil
	}
	return t.file.Write(b)
}

func (a *app) readerPlay() *cobra.Command {
	f := readerFlags{}
	c := a.command("play FILE --device DEVICE", "Have a driver live through a recording again",
		`Have a driver live through what "reader record" wrote down, at the pace of then,
and show what it makes of it. It is an error if the driver says other bytes to its
reader than then.`,
		func(ctx context.Context, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			exchanges, err := record.Parse(file)
			if err = errors.Join(err, file.Close()); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			player := record.NewPlayer(exchanges)
			x, err := f.find(ctx, args[0])
			if err != nil {
				return err
			}
			r, err := f.driver(args[0], x, func(drivers.Opener) drivers.Opener { return player.Open })
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() {
				select {
				case <-player.Done():
					time.AfterFunc(settle, cancel) // what the last bytes mean is still to be told
				case <-ctx.Done():
				}
			}()
			if err := a.watch(ctx, r, 0); err != nil {
				return err
			}
			if err := player.Close(); err != nil {
				return hintf(fmt.Errorf("%s: %w", args[0], err), "another version of the driver may have recorded it")
			}
			return nil
		})
	f.add(c)
	_ = c.MarkFlagRequired("device") // the flag is defined above
	return c
}
