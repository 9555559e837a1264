/*
 * The upload's ledger, as a model for spin. docs/design/ledger.md explains the protocol and what is bounded here;
 * `make model` runs it. With OLD it is the protocol of version 0.1.0, which must fail.
 *
 * One stream. A box has a file (rows, marks, id, predecessors, tokens) and, while it runs, a process. The server has
 * the ledger and, of each event, whether it is there. Every step of the world is one atomic choice; what the world may
 * do beyond starting, stopping and uploading is switched on by name: KILLS, COPIES, BACKUPS, SNAPSHOTS, RESTORES,
 * EMPTIES, TRUNCATES, DELETES, LAZY, TWOPHASE. With ALONE a copy takes the place of what it was made of, and nothing
 * may ever need a person. With BARS the stream is the bars': sent again they change nothing, and a row may be a newer
 * version of a bar that came before; TRUSTS leaves out the look at them that a copy's position needs. UNTOLD leaves out
 * what the ledger says of lost rows.
 */
#ifndef H
#define H 2 /* boxes; all but the first begin empty, and are what copies go to */
#endif
#ifndef N
#define N 2 /* rows of a file */
#endif
#ifndef R
#define R 3 /* events, told apart by number; two files that went apart have different ones under one sequence */
#endif
#ifndef I
#define I 4 /* ids; a new one at every open */
#endif
#ifndef P
#define P 3 /* predecessors that a file remembers */
#endif
#ifndef M
#define M 4 /* tokens that one id can have */
#endif
#ifndef FAULTS
#define FAULTS 2 /* how often something happens that no process does by itself, kills and lost answers included */
#endif

#define MASK(e) (1 << (e))
#define ROW(h, s) f_row[(h) * (N + 1) + (s)]
#define PID(h, i) f_pid[(h) * P + (i)]
#define PTH(h, i) f_pth[(h) * P + (i)]
#define PKN(h, i) f_pkn[(h) * P + (i)]

/* The server: now, what its disk has, and a backup. */
byte l_last[I + 1], l_tok[I + 1], l_succ[I + 1], l_after[I + 1], l_lost[I + 1], up;
#ifdef LAZY
byte d_last[I + 1], d_tok[I + 1], d_succ[I + 1], d_after[I + 1], d_lost[I + 1], d_up;
#endif
#ifdef RESTORES
byte b_last[I + 1], b_tok[I + 1], b_succ[I + 1], b_after[I + 1], b_lost[I + 1], b_up;
bit hasBackup;
#endif

/* The files. */
bit f_is[H], f_made[H], f_clean[H];
byte f_n[H], f_row[H * (N + 1)], f_ack[H], f_del[H], f_id[H], f_known[H], f_told[H], f_drop[H], f_after[H], f_lost[H];
byte f_np[H], f_gone[H], f_gonethru[H], f_pid[H * P], f_pth[H * P], f_pkn[H * P];

/* The processes: acknowledged, committed, the token expected, and the row that is looked up next. */
bit m_run[H], m_ready[H], m_stopped[H];
byte m_ack[H], m_at[H], m_tok[H], m_seen[H], m_given[H];

/* A transaction on the server: 1 its process waits, 2 nobody waits for it any more. */
byte x_on[H], x_id[H], x_from[H], x_ftok[H], x_to[H], x_tok[H];
bit x_lazy[H];

byte ids, events, faults, tokens[I + 1];
#ifdef TRUNCATES
/* The look for rows that are gone comes before anything else happens to the process: see ledger.md. */
bit emptied[H];
#define NOTICED(h) !emptied[h]
/* Of rows that the file has deleted, too, nobody can know. */
#define FORGOTTEN(h, s) ((s) <= f_del[h])
#else
#define NOTICED(h) 1
#define FORGOTTEN(h, s) 0
#endif

/* What files that are still there have counted as gone. */
#if H > 2
#define DROPPED (f_drop[0] | f_drop[1] | f_drop[2])
#else
#define DROPPED (f_drop[0] | f_drop[1])
#endif
#ifdef BARS
/* What a file still has counts as told by that file alone. */
#define TOLD(h, s) (f_told[h] | ((s) <= f_del[h] -> DROPPED : 0))
#else
#define TOLD(h, s) (DROPPED | f_told[h])
#endif

/* Of one step only; every step leaves them 0, so that they make no states. */
byte i, k, e, b, there, waiting, a, lo, from, forgets;
bit known, conflict, person, behind, unsure, takes, redo;
#define TIDY i = 0; k = 0; e = 0; b = 0; there = 0; waiting = 0; a = 0; lo = 0; from = 0; forgets = 0; takes = 0; \
    known = 0; conflict = 0; person = 0; behind = 0; unsure = 0; redo = 0

#define LEDGER(to, from, x) to##_last[x] = from##_last[x]; to##_tok[x] = from##_tok[x]; to##_succ[x] = from##_succ[x]; \
    to##_after[x] = from##_after[x]; to##_lost[x] = from##_lost[x]
#define ERASE(x) l_last[x] = 0; l_tok[x] = 0; l_succ[x] = 0; l_after[x] = 0; l_lost[x] = 0
#ifdef LAZY
#define DISK for (i : 1 .. I) { LEDGER(d, l, i) } d_up = up
#else
#define DISK skip
#endif

#define EXISTS(x) (l_tok[x] != 0 || l_succ[x] != 0)
#define FAULT faults < FAULTS
#define BLAME faults++

/* Whether an id is the file's own or one of its predecessors'. */
#define AT(h, n, x) (n < P && n < f_np[h] && PID(h, (n < P -> n : 0)) == (x))
#define OFLINE(h, x) ((x) == f_id[h] || AT(h, 0, x) || AT(h, 1, x) || AT(h, 2, x) || AT(h, 3, x) || AT(h, 4, x))
/* Whether a transaction is open on a row that the box would lock: it waits for its end. */
#define LOCKED(h, o) (x_on[o] != 0 && OFLINE(h, x_id[o]))

/* Rows after one and through another: how many stand in the file, how many of those upstream, and the leading run. */
inline compare(h, after, through) {
    waiting = 0; there = 0; lo = after; person = 0;
    for (i : 1 .. N) {
        if
        :: i > after && i <= through && i > f_del[h] ->
            waiting++;
            if
            :: up & MASK(ROW(h, i)) ->
                there++;
                if :: lo == i - 1 || waiting == 1 -> lo = i :: else -> person = 1 fi
            :: else
            fi
        :: else
        fi
    }
}

inline tell(h) {
#ifdef ALONE
    assert(0); /* with one box at a time, nothing needs a person */
#endif
    m_stopped[h] = 1
}

/* Rows that a person was told of: as good as noted down. */
inline noteMissing(h, through) {
    for (i : 1 .. N) {
        if :: i <= through && !(up & MASK(ROW(h, i))) -> f_told[h] = f_told[h] | MASK(ROW(h, i)) :: else fi
    }
}

inline check(h) {
    for (i : 1 .. N) {
        assert(m_stopped[h] || i > m_ack[h] || FORGOTTEN(h, i) || ((up | TOLD(h, i)) & MASK(ROW(h, i))))
    }
}

#ifdef OLD

inline openFile(h) {
    if
    :: !f_clean[h] && f_n[h] > 0 && ids < I ->
        ids++;
        if
        :: f_np[h] < P -> PID(h, f_np[h]) = f_id[h]; PTH(h, f_np[h]) = f_n[h]; f_np[h] = f_np[h] + 1
        :: else
        fi;
        f_id[h] = ids
    :: else
    fi;
    m_given[h] = f_n[h]
}

inline settle(h) {
    m_stopped[h] = 0;
    for (i : 0 .. P - 1) {
        if
        :: i < f_np[h] && PTH(h, i) > m_ack[h] ->
            a = (l_last[PID(h, i)] < PTH(h, i) -> l_last[PID(h, i)] : PTH(h, i));
            if :: a > m_ack[h] -> m_ack[h] = a :: else fi
        :: else
        fi
    }
    a = l_last[f_id[h]];
    if
    :: a > m_given[h] -> tell(h)
    :: a <= m_given[h] && a > m_ack[h] -> m_ack[h] = a
    :: a > 0 && a < m_ack[h] ->
        /* What the file has no more is counted as dropped. */
        for (i : 1 .. N) {
            if :: i > a && i <= f_del[h] -> f_drop[h] = f_drop[h] | MASK(ROW(h, i)) :: else fi
        }
        m_ack[h] = a
    :: else
    fi;
    m_at[h] = m_ack[h];
    f_ack[h] = m_ack[h];
    DISK;
    if :: !m_stopped[h] -> m_ready[h] = 1 :: else fi;
    check(h)
}

inline probe(h) {
    skip
}

#define MAYCOMMIT(h) 1

#else

/* A new id, with the old one as a predecessor. A list that is full loses its oldest, whose remainder the present id has
   taken over; where that one uploaded nothing yet, the file keeps it. */
inline openFile(h) {
    if
    :: f_np[h] == P && !f_made[h]
    :: else ->
        if
        :: f_np[h] == P ->
            f_gone[h] = PID(h, 0); f_gonethru[h] = PTH(h, 0);
            for (i : 1 .. P - 1) {
                PID(h, i - 1) = PID(h, i); PTH(h, i - 1) = PTH(h, i); PKN(h, i - 1) = PKN(h, i)
            }
            f_np[h] = P - 1
        :: else
        fi;
        if
        :: f_n[h] <= f_ack[h] && !f_made[h]
        :: else ->
            PID(h, f_np[h]) = f_id[h]; PTH(h, f_np[h]) = f_n[h]; PKN(h, f_np[h]) = f_known[h];
            f_np[h] = f_np[h] + 1
        fi;
        ids++; f_id[h] = ids; f_made[h] = 0; f_known[h] = 0
    fi
}

/* Rows behind one sequence wait again, those that the file has no more are counted, and the file knows from which through
   which those are. */
inline takeBack(h, after) {
    for (i : 1 .. N) {
        if :: i > after && i <= f_del[h] && i <= m_ack[h] -> f_drop[h] = f_drop[h] | MASK(ROW(h, i)) :: else fi
    }
    a = (f_del[h] < m_ack[h] -> f_del[h] : m_ack[h]);
    if
    :: a > after ->
        if :: f_lost[h] == 0 || f_after[h] > after -> f_after[h] = after :: else fi;
        if :: f_lost[h] < a -> f_lost[h] = a :: else fi
    :: else
    fi;
    m_ack[h] = after; f_ack[h] = after; redo = 1; a = 0
}

/* What another file of this line counts as lost, this one has lost too: the newest row of the ledger says so, where
   this file did not write it. */
inline learn(h) {
    for (i : 0 .. P) {
        k = 0;
        if :: i == 0 -> k = f_id[h] :: i > 0 && i <= f_np[h] -> k = PID(h, f_np[h] - i) :: else fi;
        if
        :: !known && k != 0 && (l_tok[k] != 0 || l_lost[k] != 0) ->
            known = 1;
            if :: i == 0 -> from = f_known[h] :: else -> from = PKN(h, f_np[h] - i) fi;
            if
            :: l_tok[k] != 0 && (from & MASK(l_tok[k])) != 0 && (l_succ[k] == 0 || OFLINE(h, l_succ[k]))
            :: l_lost[k] == 0 || m_ack[h] <= l_after[k]
            :: f_lost[h] > 0 && f_after[h] <= l_after[k] && (f_lost[h] >= l_lost[k] || f_lost[h] >= m_ack[h])
            :: else -> takes = 1; lo = l_after[k]
            fi
        :: else
        fi
    }
    if :: takes -> from = lo; takeBack(h, from) :: else fi;
    known = 0; takes = 0; from = 0; lo = 0; k = 0
}

/* What the ledger proves: the position of the newest id of this line that uploaded. Of a move that this file did not
   make, the row that it ended with must be there: a copy may have made it. */
inline prove(h) {
    b = 0; known = 0; unsure = 0;
    if
    :: l_tok[f_id[h]] != 0 ->
        b = l_last[f_id[h]]; known = 1; unsure = !(f_known[h] & MASK(l_tok[f_id[h]]))
    :: else
    fi;
    for (i : 1 .. P) {
        if
        :: !known && P - i < f_np[h] && l_tok[PID(h, P - i)] != 0 ->
            k = PID(h, P - i);
            b = (l_last[k] < PTH(h, P - i) -> l_last[k] : PTH(h, P - i));
            known = 1; unsure = !(PKN(h, P - i) & MASK(l_tok[k]))
        :: else
        fi
    }
    e = (b < m_ack[h] -> b : m_ack[h]);
    if
#ifndef BARS
    :: unsure && e > 0 -> compare(h, e - 1, e); behind = (waiting > there)
#else
#ifndef TRUSTS
    /* The copy's newer version of the last one proves nothing of those before. They wait again from the first that is
       missing on; where none is there, those that were deleted aren't either. */
    :: unsure && e > 0 ->
        compare(h, 0, e);
        if
        :: there < waiting -> b = (there == 0 -> 0 : (lo > f_del[h] -> lo : f_del[h]))
        :: else
        fi
#endif
#endif
    :: else
    fi;
    unsure = 0
}

/* Acknowledged rows that the ledger does not prove: none there, they wait again; all there, the ledger is put right;
   else a person decides. */
inline regress(h) {
    if
    :: !behind && m_ack[h] > b ->
        compare(h, b, m_ack[h]);
#ifdef BARS
        there = 0; /* They go up again in any case. */
#endif
        if
        :: there > 0 && there < waiting -> behind = 1
        :: else ->
            if
            :: there == 0 ->
                takeBack(h, b)
            :: else
            fi
        fi
    :: else
    fi
}

/* The remainder: rows through e that predecessors have not seen upstream. Their rows of the ledger are locked; what the
   file's own moves prove is acknowledged. A row that a stranger took over makes a conflict, which is none where all
   rows are upstream. */
inline claim(h) {
    a = m_ack[h]; e = m_ack[h];
    for (i : 0 .. P - 1) {
        if
        :: i < f_np[h] && PTH(h, i) > m_ack[h] && PTH(h, i) > f_del[h] ->
            e = PTH(h, i);
            k = PID(h, i);
            conflict = conflict || (l_succ[k] != 0 && !OFLINE(h, l_succ[k]));
            lo = (l_last[k] < PTH(h, i) -> l_last[k] : PTH(h, i));
            if
            :: l_tok[k] != 0 && (PKN(h, i) & MASK(l_tok[k])) && lo > a -> a = lo
            :: else
            fi
        :: else
        fi
    }
    if
    :: conflict ->
#ifndef BARS
        compare(h, m_ack[h], e);
        if :: there == waiting -> m_ack[h] = e :: else -> behind = 1 fi
#else
        skip /* Bars that two copies send are the same bars. */
#endif
    :: else ->
        from = (f_del[h] > m_ack[h] -> f_del[h] : m_ack[h]); takes = 1; m_ack[h] = a
    fi
}

/* Whatever waits may be upstream: a copy uploaded it, and the ledger's rows that said so are gone or not this file's.
   Rows go up in order, so what is there leads; anything else is for a person. */
inline lookUp(h) {
#ifdef BARS
    skip
#else
    compare(h, m_ack[h], f_n[h]);
    if
    :: person -> behind = 1
    :: there > 0 && !person -> m_ack[h] = lo
    :: else
    fi
#endif
}

/* Rows that were uploaded are looked up: the newest of those that had been at the last look, of a file that has none of
   them any more the first behind. What was uploaded since says nothing of a table that was emptied between. */
inline probe(h) {
    e = (m_seen[h] > f_del[h] -> m_seen[h] : f_del[h] + 1);
    if
    :: e <= m_ack[h] && !(up & MASK(ROW(h, e))) -> noteMissing(h, m_ack[h])
    :: else
    fi;
    m_seen[h] = m_ack[h]
}

/* The row of an id that the file forgot goes too, and rows that it took over. */
inline deleteOld(h) {
    for (i : 1 .. I) {
        if
        :: i == f_gone[h] || l_succ[i] == f_gone[h] -> ERASE(i)
        :: else
        fi
    }
    f_gone[h] = 0; f_gonethru[h] = 0
}

/* A row of the ledger says what was lost, whoever of the line counts it. */
inline noteLost(h, x) {
    if
    :: f_lost[h] > 0 && l_lost[x] == 0 -> l_after[x] = f_after[h]; l_lost[x] = f_lost[h]
    :: f_lost[h] > 0 && l_lost[x] > 0 ->
        if :: f_after[h] < l_after[x] -> l_after[x] = f_after[h] :: else fi;
        if :: f_lost[h] > l_lost[x] -> l_lost[x] = f_lost[h] :: else fi
    :: else
    fi
}

/* The row of this id, with a new token. As with every move, those are forgotten that came before the newest on the
   server's disk. */
inline place(h) {
    tokens[f_id[h]]++;
    if :: forgets -> f_known[h] = MASK(m_tok[h]) :: else fi;
    l_tok[f_id[h]] = tokens[f_id[h]]; l_last[f_id[h]] = m_ack[h]; l_succ[f_id[h]] = 0;
    noteLost(h, f_id[h]);
    f_known[h] = f_known[h] | MASK(l_tok[f_id[h]]);
    f_made[h] = 1
}

/* After connecting: the ledger is asked who this is, how far it came, and what of the predecessors' rows is left. */
inline settle(h) {
    m_stopped[h] = 0; behind = 0; conflict = 0; forgets = (m_at[h] == m_ack[h]);
    redo = 1;
    do
    :: redo ->
    redo = 0;
#ifndef UNTOLD
    learn(h);
#endif
    k = f_id[h];
    if
    :: redo
    :: !redo && l_succ[k] != 0 -> behind = 1
    :: !redo && l_succ[k] == 0 && l_tok[k] != 0 && !(f_known[h] & MASK(l_tok[k])) && l_last[k] > m_ack[h] ->
        /* Of a copy's own rows none is in this file. Where all are, and are upstream, the move was this file's, forgotten
           since, or a copy's of rows that both have. */
#ifdef BARS
        behind = 1
#else
        compare(h, m_ack[h], l_last[k]);
        if
        :: (waiting > 0 || f_lost[h] >= l_last[k]) && there == waiting -> m_ack[h] = l_last[k]; place(h)
        :: else -> behind = 1
        fi
#endif
    :: !redo && l_succ[k] == 0 && l_tok[k] != 0 && (f_known[h] & MASK(l_tok[k])) && l_last[k] >= m_ack[h] ->
        m_ack[h] = l_last[k];
        if
        :: f_lost[h] > 0 && (l_lost[k] < f_lost[h] || l_after[k] > f_after[h]) -> place(h)
        :: else
        fi
    :: else ->
        prove(h);
        regress(h);
        if :: !behind && !redo && l_tok[f_id[h]] == 0 -> claim(h) :: else fi;
        if :: !behind && !redo && l_tok[f_id[h]] == 0 -> lookUp(h) :: else fi;
        /* Who is asked is told which rows are missing. */
        if :: behind && !conflict -> noteMissing(h, m_ack[h]) :: else fi;
        if
        :: !behind && !redo ->
            place(h);
            /* Each gets this id as its successor, so that nobody else can take it over. */
            for (i : 0 .. P - 1) {
                if
                :: takes && i < f_np[h] && PTH(h, i) > from && l_succ[PID(h, i)] == 0 ->
                    l_succ[PID(h, i)] = f_id[h]; noteLost(h, PID(h, i))
                :: else
                fi
            }
            if :: f_gone[h] != 0 && f_gonethru[h] <= m_ack[h] -> deleteOld(h) :: else fi
        :: else
        fi
    fi
    :: else -> break
    od;
    DISK;
    if
    :: behind -> tell(h)
    :: else ->
        m_at[h] = m_ack[h]; m_tok[h] = l_tok[f_id[h]]; m_ready[h] = 1
    fi;
    if :: !behind -> probe(h) :: else fi;
    check(h)
}

#define MAYCOMMIT(h) (l_last[x_id[h]] == x_from[h] && l_tok[x_id[h]] == x_ftok[h] && l_succ[x_id[h]] == 0)
#endif

inline loseConnections() {
    for (i : 0 .. H - 1) { m_ready[i] = 0; x_on[i] = 0 }
}

inline copyFile(src, to) {
    f_is[to] = 1; f_made[to] = f_made[src]; f_n[to] = f_n[src]; f_ack[to] = f_ack[src]; f_del[to] = f_del[src];
    f_id[to] = f_id[src]; f_known[to] = f_known[src]; f_told[to] = f_told[src]; f_np[to] = f_np[src];
    f_drop[to] = f_drop[src]; f_after[to] = f_after[src]; f_lost[to] = f_lost[src];
    f_gone[to] = f_gone[src]; f_gonethru[to] = f_gonethru[src];
    for (i : 0 .. N) { ROW(to, i) = ROW(src, i) }
    for (i : 0 .. P - 1) { PID(to, i) = PID(src, i); PTH(to, i) = PTH(src, i); PKN(to, i) = PKN(src, i) }
}

inline forget(h) {
    m_run[h] = 0; m_ready[h] = 0; m_stopped[h] = 0; m_ack[h] = 0; m_at[h] = 0; m_tok[h] = 0; m_seen[h] = 0;
    m_given[h] = 0;
    if :: x_on[h] == 1 -> x_on[h] = 2 :: else fi
}

inline store(h) {
    f_ack[h] = m_ack[h]
}

/* Box h, and the one that copies of it go to. */
proctype box(byte h, t) {
end:
    do
    /* A process starts. */
    :: d_step { f_is[h] && !m_run[h] && ids < I ->
        openFile(h);
        f_clean[h] = 0; m_run[h] = 1; m_ack[h] = f_ack[h]; m_at[h] = f_ack[h]; m_seen[h] = f_ack[h];
        printf("box %d starts as id %d, %d of %d rows acknowledged\n", h, f_id[h], f_ack[h], f_n[h]); TIDY }

    /* An event comes, and is durable. */
    :: d_step { m_run[h] && f_n[h] < N && events < R ->
        events++; f_n[h] = f_n[h] + 1; ROW(h, f_n[h]) = events;
        printf("box %d collects event %d as row %d\n", h, events, f_n[h]); TIDY }

#ifdef BARS
    /* A newer version of the newest bar that there is. */
    :: d_step { m_run[h] && f_n[h] < N && events > 0 ->
        f_n[h] = f_n[h] + 1; ROW(h, f_n[h]) = events;
        printf("box %d collects event %d again as row %d\n", h, events, f_n[h]); TIDY }
#endif

    /* It connects and settles with the ledger; the answer may be the last thing that it misses. */
    :: d_step { m_run[h] && !m_ready[h] && x_on[h] != 1 && tokens[f_id[h]] < M && !LOCKED(h, 0) && !LOCKED(h, 1)
#if H > 2
        && !LOCKED(h, 2)
#endif
        -> settle(h);
        if
        :: m_stopped[h] -> printf("box %d settles with the ledger and stops uploading with an error\n", h)
        :: else -> printf("box %d settles with the ledger: %d acknowledged\n", h, m_ack[h])
        fi;
#ifdef TRUNCATES
        emptied[h] = 0;
#endif
        TIDY }
    :: d_step { m_run[h] && m_ack[h] != f_ack[h] -> store(h);
        printf("box %d stores %d as acknowledged\n", h, f_ack[h]); TIDY }

    /* A batch goes up: what it may do to the ledger is durable in the file before. */
    :: atomic { m_run[h] && m_ready[h] && x_on[h] == 0 && m_at[h] < f_n[h] && tokens[f_id[h]] < M ->
        d_step {
            tokens[f_id[h]]++;
            if :: m_at[h] == m_ack[h] -> f_known[h] = MASK(m_tok[h]) :: else fi;
            f_known[h] = f_known[h] | MASK(tokens[f_id[h]]);
            x_id[h] = f_id[h]; x_from[h] = m_at[h]; x_ftok[h] = m_tok[h]; x_tok[h] = tokens[f_id[h]];
            x_on[h] = 1; x_to[h] = f_n[h]; x_lazy[h] = 0;
            m_given[h] = (m_given[h] < f_n[h] -> f_n[h] : m_given[h]); TIDY }
        if :: x_to[h] = m_at[h] + 1 :: skip fi;
#ifdef LAZY
        if :: x_lazy[h] = 1 :: skip fi
#endif
    }
    :: d_step { x_on[h] != 0 && MAYCOMMIT(h) ->
        k = x_id[h];
        for (i : 1 .. N) {
            if
#ifdef OLD
            :: i > l_last[k] && i > x_from[h] && i <= x_to[h] ->
#else
            :: i > x_from[h] && i <= x_to[h] && i > f_del[h] ->
#endif
#ifndef BARS
                /* Once, and never twice. */
                assert(!(up & MASK(ROW(h, i))));
#endif
                up = up | MASK(ROW(h, i))
            :: else
            fi
        }
#ifdef OLD
        if :: x_to[h] > l_last[k] -> l_last[k] = x_to[h] :: else fi;
#else
        l_last[k] = x_to[h];
#endif
        l_tok[k] = x_tok[h];
        if :: !x_lazy[h] -> DISK :: else fi;
        if
        :: x_on[h] == 1 ->
            m_at[h] = x_to[h]; m_tok[h] = x_tok[h];
            if :: !x_lazy[h] -> m_ack[h] = x_to[h] :: else fi
        :: else
        fi;
        printf("the server commits rows %d to %d of box %d under id %d\n", x_from[h] + 1, x_to[h], h, k);
        x_on[h] = 0; TIDY }
    :: d_step { x_on[h] != 0 && !MAYCOMMIT(h) ->
        if :: x_on[h] == 1 -> m_ready[h] = 0 :: else fi;
        printf("the ledger refuses the move of box %d\n", h);
        x_on[h] = 0; TIDY }
#ifdef LAZY
    /* A COMMIT that waits covers all before. */
    :: d_step { m_run[h] && m_ready[h] && x_on[h] == 0 && m_at[h] > m_ack[h] -> DISK; m_ack[h] = m_at[h];
        printf("a COMMIT of box %d waits for the disk: %d acknowledged\n", h, m_ack[h]); TIDY }
#endif

    /* The connection is lost; what it carried is committed or not. */
    :: d_step { x_on[h] == 1 && FAULT -> BLAME; x_on[h] = 2; m_ready[h] = 0;
        printf("box %d loses its connection\n", h); TIDY }
    :: d_step { x_on[h] == 2 -> x_on[h] = 0; printf("the server rolls back the rest of box %d\n", h); TIDY }
#ifdef KILLS
    :: d_step { m_run[h] && FAULT && NOTICED(h) -> BLAME; forget(h); printf("box %d is killed\n", h); TIDY }
#endif
    /* It stops in order. */
    :: d_step { m_run[h] && x_on[h] == 0 && m_at[h] == m_ack[h] && ids < I && NOTICED(h) ->
        store(h); forget(h); f_clean[h] = 1;
        printf("box %d stops\n", h); TIDY }
#ifdef DELETES
    /* Uploaded rows are deleted from the file. */
    :: d_step { m_run[h] && f_del[h] < f_ack[h] && f_ack[h] <= m_ack[h] -> f_del[h] = f_ack[h];
        printf("box %d deletes rows through %d\n", h, f_del[h]); TIDY }
#endif
#ifdef TRUNCATES
    :: d_step { m_run[h] && m_ready[h] && emptied[h] -> probe(h); check(h); emptied[h] = 0; TIDY }
#endif
#ifdef ALONE
#define GONE(h) f_is[h] = 0; f_drop[h] = 0; f_after[h] = 0; f_lost[h] = 0; forget(h)
#else
#define GONE(h) skip
#endif
#ifdef COPIES
    /* The directory of a stopped one. */
    :: d_step { FAULT && f_is[h] && !m_run[h] && !m_run[t] && x_on[t] == 0 ->
        BLAME; copyFile(h, t); f_clean[t] = f_clean[h]; GONE(h);
        printf("the stopped box %d is copied to box %d\n", h, t); TIDY }
#endif
#ifdef BACKUPS
    /* The running file's .backup, or its directory. */
    :: d_step { FAULT && m_run[h] && !m_run[t] && x_on[t] == 0 ->
        BLAME; copyFile(h, t); f_clean[t] = 1; GONE(h);
        printf("a backup of the running box %d goes to box %d\n", h, t); TIDY }
#endif
#ifdef SNAPSHOTS
    /* The machine, with its memory. */
    :: d_step { FAULT && m_run[h] && !m_run[t] && x_on[t] == 0 ->
        BLAME; copyFile(h, t); f_clean[t] = 0;
        m_run[t] = 1; m_ready[t] = 0; m_stopped[t] = m_stopped[h]; m_ack[t] = m_ack[h];
        m_at[t] = m_at[h]; m_tok[t] = m_tok[h]; m_seen[t] = m_seen[h]; m_given[t] = m_given[h]; GONE(h);
        printf("box %d goes on from a snapshot of box %d\n", t, h); TIDY }
#endif
    od
}

active proctype world() {
    atomic {
        f_is[0] = 1; f_id[0] = 1; f_clean[0] = 1; ids = 1;
        run box(0, 1); run box(1, 0)
#if H > 2
        ; run box(2, 0); run copier(0, 2); run copier(1, 2)
#endif
    };
end:
    do
    :: 0 -> skip
#ifdef RESTORES
    :: d_step { FAULT && !hasBackup ->
        BLAME; hasBackup = 1; printf("the database is backed up\n"); b_up = up;
        for (i : 1 .. I) { LEDGER(b, l, i) }; TIDY }
    :: d_step { FAULT && hasBackup ->
        BLAME; up = b_up; printf("the database is restored\n");
        for (i : 1 .. I) { LEDGER(l, b, i) }
        DISK; loseConnections(); TIDY }
#endif
#ifdef EMPTIES
    :: d_step { FAULT ->
        BLAME; up = 0; printf("an empty database takes its place\n");
        for (i : 1 .. I) { ERASE(i) }
        DISK; loseConnections(); TIDY }
#endif
#ifdef LAZY
    /* The server's disk catches up; the server dies, and comes back with what its disk has. */
    :: d_step { FAULT ->
        BLAME; printf("the server dies and comes back\n");
#ifndef TWOPHASE
        up = d_up;
#endif
        for (i : 1 .. I) { LEDGER(l, d, i) }
        loseConnections(); TIDY }
#endif
#ifdef TRUNCATES
    :: d_step { FAULT && up != 0 && NOTICED(0) && NOTICED(1) -> BLAME; up = 0;
        printf("the table is truncated\n");
        for (i : 0 .. H - 1) { emptied[i] = m_run[i] }; TIDY }
#endif
    od
}
