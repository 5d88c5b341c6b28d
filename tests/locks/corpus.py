"""Small functions with the order that they take locks in, known by construction.

All the edges and all the mistakes of a case are written down with it.  Here: control flow and
calls; handles, waits and contexts are in ``corpus_contexts``.
"""

from tests.locks.case import case
from tests.locks.corpus_contexts import CONTEXT_CASES
from tests.locks.corpus_handover import HANDOVER_CASES

FLOW_CASES = [
    case("nothing", "int f(int a) { return a + 1; }"),
    case("one lock", "void f(struct x *x) { down_read(&x->a_sem); up_read(&x->a_sem); }"),
    case(
        "two nested",
        """
void f(struct x *x)
{
	down_write(&x->a_sem);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	up_write(&x->a_sem);
}""",
        "a_sem > b_mutex",
    ),
    case(
        "one after the other",
        """
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	mutex_unlock(&x->a_mutex);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
}""",
    ),
    case(
        "released in the order of acquisition",
        """
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->a_mutex);
	mutex_lock(&x->c_mutex);
	mutex_unlock(&x->c_mutex);
	mutex_unlock(&x->b_mutex);
}""",
        "a_mutex > b_mutex; b_mutex > c_mutex",
    ),
    case(
        "three deep",
        """
void f(struct inode *inode)
{
	inode_lock(inode);
	filemap_invalidate_lock(inode->i_mapping);
	down_write(&EXT4_I(inode)->i_data_sem);
	up_write(&EXT4_I(inode)->i_data_sem);
	filemap_invalidate_unlock(inode->i_mapping);
	inode_unlock(inode);
}""",
        "i_rwsem > invalidate_lock; i_rwsem > i_data_sem; invalidate_lock > i_data_sem",
    ),
    case(
        "goto out",
        """
int f(struct x *x)
{
	int ret;

	mutex_lock(&x->a_mutex);
	ret = prepare(x);
	if (ret)
		goto out;
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
out:
	mutex_unlock(&x->a_mutex);
	return ret;
}""",
        "a_mutex > b_mutex",
    ),
    case(
        "goto ladder",
        """
int f(struct x *x)
{
	int ret = -EIO;

	mutex_lock(&x->a_mutex);
	if (broken(x))
		goto out_a;
	mutex_lock(&x->b_mutex);
	if (torn(x))
		goto out_b;
	ret = 0;
out_b:
	mutex_unlock(&x->b_mutex);
out_a:
	mutex_unlock(&x->a_mutex);
	mutex_lock(&x->c_mutex);
	mutex_unlock(&x->c_mutex);
	return ret;
}""",
        "a_mutex > b_mutex",
    ),
    case(
        "early return that forgets",
        """
int f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	if (broken(x))
		return -EIO;
	mutex_unlock(&x->a_mutex);
	return 0;
}""",
        "",
        "lock not released: a_mutex",
    ),
    case(
        "void return that forgets",
        """
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	if (x->broken)
		return;
	spin_unlock(&x->a_lock);
}""",
        "",
        "lock not released: a_lock",
    ),
    case(
        "goto that forgets",
        """
int f(struct x *x)
{
	int err;

	down_write(&x->a_sem);
	err = -EINVAL;
	if (x->broken)
		goto out;
	up_write(&x->a_sem);
	err = 0;
out:
	return err;
}""",
        "",
        "lock not released: a_sem",
    ),
    case(
        "returns locked on purpose",
        """
int take(struct x *x)
{
	mutex_lock(&x->a_mutex);
	if (x->dead) {
		mutex_unlock(&x->a_mutex);
		return -ENOENT;
	}
	return 0;
}
int f(struct x *x)
{
	int err = take(x);

	if (err)
		return err;
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	mutex_unlock(&x->a_mutex);
	return 0;
}""",
        "a_mutex > b_mutex",
    ),
    case(
        "trylock",
        """
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	if (mutex_trylock(&x->b_mutex)) {
		spin_lock(&x->c_lock);
		spin_unlock(&x->c_lock);
		mutex_unlock(&x->b_mutex);
	}
	mutex_unlock(&x->a_mutex);
}""",
        "a_mutex > b_mutex (try); a_mutex > c_lock; b_mutex > c_lock",
    ),
    case(
        "trylock in a variable",
        """
void f(struct x *x)
{
	int locked = down_read_trylock(&x->a_sem);

	if (!locked)
		return;
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	up_read(&x->a_sem);
}""",
        "a_sem > b_mutex",
    ),
    case(
        "failed trylock takes another way",
        """
void f(struct x *x)
{
	if (!mutex_trylock(&x->a_mutex)) {
		mutex_lock(&x->b_mutex);
		mutex_lock(&x->a_mutex);
		mutex_unlock(&x->a_mutex);
		mutex_unlock(&x->b_mutex);
		return;
	}
	mutex_unlock(&x->a_mutex);
}""",
        "b_mutex > a_mutex",
    ),
    case(
        "interruptible",
        """
int f(struct x *x)
{
	if (mutex_lock_interruptible(&x->a_mutex))
		return -EINTR;
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	mutex_unlock(&x->a_mutex);
	return 0;
}""",
        "a_mutex > b_mutex",
    ),
    case(
        "conditional by argument",
        """
void f(struct x *x, int flags)
{
	if (!(flags & NO_LOCK))
		down_read(&x->a_sem);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	if (!(flags & NO_LOCK))
		up_read(&x->a_sem);
	mutex_lock(&x->c_mutex);
	mutex_unlock(&x->c_mutex);
}""",
        "a_sem > b_mutex",
    ),
    case(
        "conditional by memory",
        """
void f(struct x *x)
{
	if (x->shared)
		mutex_lock(&x->a_mutex);
	work(x);
	if (x->shared)
		mutex_unlock(&x->a_mutex);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
}""",
    ),
    case(
        "checked again under the lock",
        """
int f(struct x *x)
{
	if (x->done)
		return 0;
	mutex_lock(&x->a_mutex);
	if (x->done)
		return -EALREADY;
	mutex_unlock(&x->a_mutex);
	return 0;
}""",
        "",
        "lock not released: a_mutex",
    ),
    case(
        "a loop that drops the lock",
        """
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	while (x->todo) {
		spin_unlock(&x->a_lock);
		mutex_lock(&x->b_mutex);
		mutex_unlock(&x->b_mutex);
		spin_lock(&x->a_lock);
	}
	spin_unlock(&x->a_lock);
}""",
    ),
    case(
        "break and continue",
        """
void f(struct x *x, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		mutex_lock(&x->a_mutex);
		if (x->skip) {
			mutex_unlock(&x->a_mutex);
			continue;
		}
		if (x->stop) {
			mutex_unlock(&x->a_mutex);
			break;
		}
		spin_lock(&x->b_lock);
		spin_unlock(&x->b_lock);
		mutex_unlock(&x->a_mutex);
	}
	mutex_lock(&x->c_mutex);
	mutex_unlock(&x->c_mutex);
}""",
        "a_mutex > b_lock",
    ),
    case(
        "a loop macro",
        """
void f(struct x *x)
{
	struct y *y;

	list_for_each_entry(y, &x->ys, list) {
		down_read(&y->a_sem);
		if (!y->ready) {
			up_read(&y->a_sem);
			continue;
		}
		mutex_lock(&x->b_mutex);
		mutex_unlock(&x->b_mutex);
		up_read(&y->a_sem);
	}
}""",
        "a_sem > b_mutex",
    ),
    case(
        "do while",
        """
void f(struct x *x)
{
	do {
		mutex_lock(&x->a_mutex);
		spin_lock(&x->b_lock);
		spin_unlock(&x->b_lock);
		mutex_unlock(&x->a_mutex);
	} while (again(x));
}""",
        "a_mutex > b_lock",
    ),
    case(
        "switch with fallthrough",
        """
void f(struct x *x, int what)
{
	switch (what) {
	case 1:
		mutex_lock(&x->a_mutex);
		break;
	case 2:
		mutex_lock(&x->b_mutex);
		spin_lock(&x->c_lock);
		spin_unlock(&x->c_lock);
		mutex_unlock(&x->b_mutex);
		/* fallthrough */
	default:
		return;
	}
	spin_lock(&x->d_lock);
	spin_unlock(&x->d_lock);
	mutex_unlock(&x->a_mutex);
}""",
        "b_mutex > c_lock; a_mutex > d_lock",
    ),
    case(
        "through a call",
        """
static void inner(struct x *x)
{
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
}
static void middle(struct x *x) { inner(x); }
void f(struct x *x)
{
	mutex_lock(&x->a_mutex);
	middle(x);
	mutex_unlock(&x->a_mutex);
}""",
        "a_mutex > b_lock",
    ),
    case(
        "lock and unlock helpers",
        """
static void x_lock(struct x *x) { mutex_lock(&x->a_mutex); }
static void x_unlock(struct x *x) { mutex_unlock(&x->a_mutex); }
void f(struct x *x)
{
	x_lock(x);
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
	x_unlock(x);
	spin_lock(&x->c_lock);
	spin_unlock(&x->c_lock);
}""",
        "a_mutex > b_lock",
    ),
    case(
        "a callee drops the caller's lock",
        """
static void sleepy(struct x *x)
{
	spin_unlock(&x->a_lock);
	mutex_lock(&x->b_mutex);
	mutex_unlock(&x->b_mutex);
	spin_lock(&x->a_lock);
}
void f(struct x *x)
{
	spin_lock(&x->a_lock);
	sleepy(x);
	spin_lock(&x->c_lock);
	spin_unlock(&x->c_lock);
	spin_unlock(&x->a_lock);
}""",
        "a_lock > c_lock",
    ),
    case(
        "recursion",
        """
void f(struct x *x, int depth)
{
	mutex_lock(&x->a_mutex);
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
	mutex_unlock(&x->a_mutex);
	if (depth)
		f(x->child, depth - 1);
}""",
        "a_mutex > b_lock",
    ),
]

CASES = [*FLOW_CASES, *CONTEXT_CASES, *HANDOVER_CASES]
