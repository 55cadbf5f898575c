package llrp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/llrp"
)

var (
	itemA = drivers.Tag{ID: tagA, Technology: drivers.Gen2}
	itemB = drivers.Tag{ID: tagB, Technology: drivers.Gen2}
)

// withTags runs a test on a gate before which tagA (a Higgs-3) and tagB (a Monza
// 4E) lie.
func withTags(t *testing.T, cfg emulate.LLRPConfig, every time.Duration, test func(*testing.T, *emulate.LLRP, drivers.Memory, *running)) {
	within(t, cfg, func(t *testing.T, device *emulate.LLRP, b *bench) {
		portal, err := llrp.New(llrp.Config{
			Name: "dock", Open: b.open, ReportEvery: every, Keepalive: 100 * time.Millisecond, Readers: []llrp.ReaderConfig{gate("gate")},
		})
		must(t, err)
		must(t, device.Present(tagA, 1, -50, ""))
		must(t, device.Present(tagB, 2, -50, ""))
		r := run(t, portal.Readers()[0])
		r.expect(drivers.Up, "")
		r.expect(drivers.Present, tagA)
		r.expect(drivers.Present, tagB)
		test(t, device, portal.Readers()[0], r)
	})
}

func TestLayout(t *testing.T) {
	for _, tt := range []struct {
		name  string
		cfg   emulate.LLRPConfig
		every time.Duration
	}{
		{"to the end of a bank", emulate.LLRPConfig{}, 0},
		{"word by word", emulate.LLRPConfig{Counts: true}, 0},
		{"reports that are asked for", emulate.LLRPConfig{}, 50 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withTags(t, tt.cfg, tt.every, func(t *testing.T, _ *emulate.LLRP, m drivers.Memory, _ *running) {
				for tag, want := range map[drivers.Tag]string{
					itemA: "Gen2 chip E2003412: map[epc:16 tid:24 user:64]",
					itemB: "Gen2 chip E280110C: map[epc:66 tid:12 user:16]",
				} {
					got, err := m.Layout(t.Context(), tag)
					if text := fmt.Sprintf("%s: %v", got.Type, got.Sizes); err != nil || text != want {
						t.Errorf("%v: %s, %v, want %s", tag, text, err, want)
					}
				}
			})
		})
	}
}

func TestMemory(t *testing.T) {
	withTags(t, emulate.LLRPConfig{}, 0, func(t *testing.T, device *emulate.LLRP, m drivers.Memory, r *running) {
		var wrote []string
		cancel := device.Observe(func(a emulate.Act) {
			if a.Verb == emulate.DidWrite {
				wrote = append(wrote, a.Tag+" "+a.Text)
			}
		})
		defer cancel()
		want := make([]byte, 64)
		for _, piece := range []struct{ off, n int }{{0, 64}, {0, 1}, {1, 1}, {63, 1}, {3, 5}, {2, 33}, {31, 33}, {10, 0}} {
			b := bytes.Repeat([]byte{byte(0x40 + piece.off)}, piece.n)
			must(t, m.WriteMemory(t.Context(), itemA, drivers.AreaUser, piece.off, b))
			copy(want[piece.off:], b)
			got := make([]byte, 64)
			must(t, m.ReadMemory(t.Context(), itemA, drivers.AreaUser, 0, got))
			if !bytes.Equal(got, want) {
				t.Fatalf("after %d bytes at %d:\ngot  %x\nwant %x", piece.n, piece.off, got, want)
			}
		}
		if len(wrote) == 0 || wrote[0] != tagA+" user "+strings.Repeat("40", 32) {
			t.Errorf("the device was told %q first, want half of the bank", wrote)
		}
		epc := make([]byte, 12)
		must(t, m.ReadMemory(t.Context(), itemA, drivers.AreaEPC, 4, epc))
		if got := fmt.Sprintf("%X", epc); got != tagA {
			t.Errorf("EPC area holds %s", got)
		}
		other := make([]byte, 16)
		must(t, m.ReadMemory(t.Context(), itemB, drivers.AreaUser, 0, other))
		if !bytes.Equal(other, make([]byte, 16)) {
			t.Errorf("the tag beside it was written too: %x", other)
		}
		r.quiet() // sessions go on meanwhile
	})
}

func TestMemoryErrors(t *testing.T) {
	withTags(t, emulate.LLRPConfig{}, 0, func(t *testing.T, device *emulate.LLRP, m drivers.Memory, r *running) {
		must(t, device.Lock(tagB, "user", true))
		absent := drivers.Tag{ID: "3034257BF7194E40000FFFFF", Technology: drivers.Gen2}
		beginning := drivers.Tag{ID: tagB[:24], Technology: drivers.Gen2}
		for _, tt := range []struct {
			name string
			do   func(ctx context.Context) error
			want error
			says string
		}{
			{"beyond the end", func(ctx context.Context) error {
				return m.ReadMemory(ctx, itemA, drivers.AreaUser, 60, make([]byte, 6))
			}, drivers.ErrNoArea, "read 6 bytes at 60 of user of tag " + tagA},
			{"far beyond the end", func(ctx context.Context) error {
				return m.WriteMemory(ctx, itemA, drivers.AreaUser, 1<<40, make([]byte, 6))
			}, drivers.ErrNoArea, "no bank is longer than 8192"},
			{"before the beginning", func(ctx context.Context) error {
				return m.ReadMemory(ctx, itemA, drivers.AreaUser, -1, make([]byte, 6))
			}, drivers.ErrNoArea, ""},
			{"no such area", func(ctx context.Context) error { return m.ReadMemory(ctx, itemA, "sector", 0, make([]byte, 6)) }, drivers.ErrNoArea, `"sector"`},
			{"write beyond the end", func(ctx context.Context) error {
				return m.WriteMemory(ctx, itemA, drivers.AreaUser, 64, make([]byte, 2))
			}, drivers.ErrNoArea, "it ends before"},
			{"locked", func(ctx context.Context) error {
				return m.WriteMemory(ctx, itemB, drivers.AreaUser, 0, make([]byte, 2))
			}, drivers.ErrLocked, ""},
			{"TID", func(ctx context.Context) error { return m.WriteMemory(ctx, itemA, drivers.AreaTID, 0, make([]byte, 2)) }, drivers.ErrLocked, ""},
			{"EPC", func(ctx context.Context) error { return m.WriteMemory(ctx, itemA, drivers.AreaEPC, 4, make([]byte, 2)) }, drivers.ErrLocked, "does not rename tags"},
			{"not there", func(ctx context.Context) error {
				return m.ReadMemory(ctx, absent, drivers.AreaUser, 0, make([]byte, 2))
			}, drivers.ErrTagGone, "did not see it within 2s"},
			{"another with the same beginning", func(ctx context.Context) error {
				return m.ReadMemory(ctx, beginning, drivers.AreaUser, 0, make([]byte, 2))
			}, drivers.ErrTagGone, "longer EPC answered"},
			{"no Gen2 tag", func(ctx context.Context) error {
				return m.ReadMemory(ctx, drivers.Tag{ID: "04A1B2C3", Technology: drivers.ISO14443A}, drivers.AreaUser, 0, make([]byte, 2))
			}, drivers.ErrTagGone, "no Gen2 tag"},
			{"refused by the reader", func(ctx context.Context) error {
				must(t, device.Fault(emulate.FaultStatus, true))
				defer device.Fault(emulate.FaultStatus, false)
				return m.ReadMemory(ctx, itemA, drivers.AreaUser, 0, make([]byte, 2))
			}, drivers.ErrProtocol, "ADD_ACCESSSPEC: device broke its protocol: it refuses with status 401"},
			{"given up", func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
				return m.ReadMemory(ctx, absent, drivers.AreaUser, 0, make([]byte, 2))
			}, context.DeadlineExceeded, ""},
			{"lost meanwhile", func(ctx context.Context) error {
				go func() {
					time.Sleep(time.Second)
					device.Fault(emulate.FaultReset, true)
				}()
				return m.ReadMemory(ctx, absent, drivers.AreaUser, 0, make([]byte, 2))
			}, drivers.ErrDown, ""},
		} {
			if err := tt.do(t.Context()); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v\nwant %v …%s", tt.name, err, tt.want, tt.says)
			}
		}
		r.expect(drivers.Down, "")
		r.expect(drivers.Up, "")
		must(t, m.ReadMemory(t.Context(), itemA, drivers.AreaUser, 0, make([]byte, 2)))
		r.stop()
		if err := m.ReadMemory(t.Context(), itemA, drivers.AreaUser, 0, make([]byte, 2)); !errors.Is(err, drivers.ErrDown) {
			t.Errorf("after the run: %v, want ErrDown", err)
		}
	})
}
