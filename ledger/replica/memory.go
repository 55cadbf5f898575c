package replica

import (
	"bytes"
	"crypto/sha256"
	"math"
	"strings"
	"sync"

	"traveler.example/ledger"
)

// Memory is a disk in memory: what a replica of OpenMemory commits stands there
// and outlives the replica, as on a card. The zero value is an empty one. One
// replica may use it at a time.
type Memory struct {
	// Fault, if any, is asked at every commit by the goroutine that commits. An
	// error makes the commit fail; stored says that what it held is on the disk
	// all the same. It is set while no replica uses the disk, or never.
	Fault func() (stored bool, err error)

	mu      sync.Mutex
	entries tree
	pool    *Pool
	written int // entries, since all were last shared
}

// Copy returns a disk with what this one holds now: the backup of a card. Later
// commits to either are not seen by the other.
func (m *Memory) Copy() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{Fault: m.Fault, entries: m.entries.copied(), pool: m.pool}
}

// Pool lets the replicas of one simulation share what is the same in all of
// them, so that a thousand fit where one would: the memory of equal records, and
// that a block's own signature holds. What each replica decides stays its own.
type Pool struct {
	mu       sync.Mutex
	newest   *branch // of the replica that shared last
	authored map[ledger.Hash]bool
	spoken   map[[sha256.Size]byte]bool // frontiers whose signature holds, by their bytes
}

// NewPool returns a pool for one network.
func NewPool() *Pool {
	return &Pool{authored: map[ledger.Hash]bool{}, spoken: map[[sha256.Size]byte]bool{}}
}

// verify is Verify, once for all replicas. A block's hash covers its signature
// and the roster that it cites, so the outcome is the same everywhere.
func (p *Pool) verify(b ledger.UnverifiedBlock, r *ledger.Roster) (ledger.Block, error) {
	p.mu.Lock()
	known := p.authored[b.Hash()]
	p.mu.Unlock()
	if known {
		return b.Trusted(), nil
	}
	v, err := b.Verify(r)
	if err == nil {
		p.mu.Lock()
		p.authored[b.Hash()] = true
		p.mu.Unlock()
	}
	return v, err
}

// verifyFrontier is Verify, once for all replicas; without a pool each time.
// Whether the witness is one, is asked of every roster.
func (p *Pool) verifyFrontier(f ledger.Frontier, net ledger.NetworkID, r *ledger.Roster) error {
	if p == nil {
		return f.Verify(net, r)
	}
	sum := sha256.Sum256(f.Raw())
	p.mu.Lock()
	known := p.spoken[sum]
	p.mu.Unlock()
	if known && r.Has(f.Witness, ledger.RoleWitness) {
		return nil
	}
	err := f.Verify(net, r)
	if err == nil {
		p.mu.Lock()
		p.spoken[sum] = true
		p.mu.Unlock()
	}
	return err
}

// shareEvery is after how many entries a replica shares again what it holds: each
// takes some 400 bytes until then, with the branches above it.
const shareEvery = 512

// share replaces what a tree has in common with the newest one of the pool by
// that one's branches. Equal entries have one shape, so whole branches are met.
func (p *Pool) share(t *tree) {
	p.mu.Lock()
	newest := p.newest
	p.mu.Unlock()
	root := t.root.like(newest)
	*t = tree{root: root, mine: new(token)}
	p.mu.Lock()
	p.newest = root
	p.mu.Unlock()
}

// like returns b with every branch that o has as well taken from o. Nothing is
// changed in place: others may be reading both.
func (b *branch) like(o *branch) *branch {
	if b == nil || b == o {
		return b
	}
	for o != nil && (o.priority > b.priority || o.priority == b.priority && o.key != b.key) {
		if b.key < o.key {
			o = o.left
		} else {
			o = o.right
		}
	}
	if o == nil || b == o {
		return b
	}
	c := *b
	if o.key == b.key {
		c.left, c.right = b.left.like(o.left), b.right.like(o.right)
		same := bytes.Equal(b.value, o.value)
		if same && c.left == o.left && c.right == o.right {
			return o
		}
		if c.key = o.key; same {
			c.value = o.value
		}
	} else {
		c.left, c.right = b.left.like(o), b.right.like(o)
	}
	if c.left == b.left && c.right == b.right && o.key != b.key {
		return b
	}
	return &c
}

// disk returns the memory that a replica of these options writes to.
func (o Options) disk() *Memory {
	m := o.Memory
	if m == nil {
		m = &Memory{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pool = o.Pool
	return m
}

type memorySnapshot struct{ entries tree }

func (m *Memory) snapshot() reader {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memorySnapshot{m.entries.copied()}
}

func (m *Memory) commit(writes *tree) error {
	if m.Fault != nil {
		if stored, err := m.Fault(); err != nil {
			if stored {
				m.apply(writes)
			}
			return err
		}
	}
	m.apply(writes)
	return nil
}

func (m *Memory) apply(writes *tree) {
	m.mu.Lock()
	defer m.mu.Unlock()
	writes.scan("", func(key string, value []byte) bool {
		if value == nil {
			m.entries.delete(key)
		} else {
			m.entries.put(key, value)
		}
		m.written++
		return true
	})
	if m.pool != nil && m.written >= shareEvery {
		m.written = 0
		m.pool.share(&m.entries)
	}
}

func (m *Memory) limit() int    { return math.MaxInt }
func (m *Memory) reopen() error { return nil }
func (m *Memory) size() int64   { return 0 }
func (m *Memory) close() error  { return nil }

func (s *memorySnapshot) get(key string) ([]byte, error) {
	v, _ := s.entries.get(key)
	return v, nil
}

func (s *memorySnapshot) scan(prefix, from string, yield func(string, []byte) bool) error {
	s.entries.scan(max(prefix, from), func(k string, v []byte) bool {
		return strings.HasPrefix(k, prefix) && yield(k, v)
	})
	return nil
}

func (s *memorySnapshot) keys(prefix, from string, yield func(string) bool) error {
	return s.scan(prefix, from, func(k string, _ []byte) bool { return yield(k) })
}

func (s *memorySnapshot) close() {}
