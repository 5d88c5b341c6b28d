"""Locks that are handed over or chosen by flags, and waits by hand; as in ``corpus``."""

from tests.locks.case import case

HANDOVER_CASES = [
    case(
        "locks chosen by a flag",
        """
static void x_take(struct x *x, unsigned int which)
{
	if (which & X_A)
		mutex_lock(&x->a_mutex);
	if (which & X_B)
		mutex_lock(&x->b_mutex);
}
static void x_give(struct x *x, unsigned int which)
{
	if (which & X_B)
		mutex_unlock(&x->b_mutex);
	if (which & X_A)
		mutex_unlock(&x->a_mutex);
}
void f(struct x *x)
{
	x_take(x, X_B);
	spin_lock(&x->c_lock);
	spin_unlock(&x->c_lock);
	x_give(x, X_B);
}""",
        "a_mutex > b_mutex; b_mutex > c_lock",
    ),
    case(
        "a flag that only the caller of the caller knows",
        """
static void x_take(struct x *x, bool outer)
{
	if (outer)
		mutex_lock(&x->a_mutex);
	spin_lock(&x->c_lock);
	spin_unlock(&x->c_lock);
	if (outer)
		mutex_unlock(&x->a_mutex);
}
static void x_through(struct x *x, bool outer)
{
	x_take(x, outer);
}
void f(struct x *x)
{
	mutex_lock(&x->d_mutex);
	x_through(x, false);
	mutex_unlock(&x->d_mutex);
}""",
        "a_mutex > c_lock; d_mutex > c_lock",
    ),
    case(
        "a folio that is returned locked",
        """
static int x_begin(struct address_space *mapping, struct folio **out)
{
	struct folio *folio = __filemap_get_folio(mapping, 0, FGP_LOCK, GFP_NOFS);
	int err;

	if (IS_ERR(folio))
		return PTR_ERR(folio);
	err = x_check(mapping);
	if (err) {
		folio_unlock(folio);
		return err;
	}
	*out = folio;
	return 0;
}
int f(struct address_space *mapping, struct x *x)
{
	struct folio *folio;
	int err = x_begin(mapping, &folio);

	if (err)
		return err;
	mutex_lock(&x->a_mutex);
	mutex_unlock(&x->a_mutex);
	folio_unlock(folio);
	return 0;
}""",
        "folio_lock > a_mutex",
    ),
    case(
        "a folio that comes locked",
        """
static int x_read_folio(struct file *file, struct folio *folio)
{
	return iomap_read_folio(folio, &x_ops);
}
static const struct address_space_operations x_aops = {
	.read_folio = x_read_folio,
};""",
    ),
    case(
        "a wait by hand drops what it dropped",
        """
void f(struct x *x)
{
	DEFINE_WAIT(wait);

	mutex_lock(&x->a_mutex);
	spin_lock(&x->b_lock);
	prepare_to_wait(&x->idle_queue, &wait, TASK_UNINTERRUPTIBLE);
	spin_unlock(&x->b_lock);
	schedule();
	finish_wait(&x->idle_queue, &wait);
	mutex_unlock(&x->a_mutex);
}""",
        "a_mutex > b_lock; a_mutex > idle_queue (wait)",
    ),
    case(
        "a guard that may fail",
        """
int f(struct x *x)
{
	int err;

	ACQUIRE(mutex_intr, held)(&x->a_mutex);
	if ((err = ACQUIRE_ERR(mutex_intr, &held)))
		return err;
	spin_lock(&x->b_lock);
	spin_unlock(&x->b_lock);
	return 0;
}""",
        "a_mutex > b_lock",
    ),
    case(
        "a scoped guard with a statement for failure",
        """
int f(struct x *x)
{
	scoped_cond_guard(mutex_intr, return -EINTR, &x->a_mutex) {
		spin_lock(&x->b_lock);
		spin_unlock(&x->b_lock);
	}
	return 0;
}""",
        "a_mutex > b_lock",
    ),
    case(
        "reclaim, and where it cannot enter",
        """
void f(struct x *x)
{
	unsigned int flags;

	mutex_lock(&x->a_mutex);
	x->p = kmalloc(8, GFP_KERNEL);
	mutex_unlock(&x->a_mutex);
	mutex_lock(&x->b_mutex);
	flags = memalloc_nofs_save();
	x->p = kmalloc(8, GFP_KERNEL);
	memalloc_nofs_restore(flags);
	x->p = kmalloc(8, GFP_NOFS);
	mutex_unlock(&x->b_mutex);
}""",
        "a_mutex > fs_reclaim",
    ),
    case(
        "XFS, a transaction inside the inode lock",
        """
int f(struct xfs_inode *ip)
{
	struct xfs_trans *tp;
	int error;

	xfs_ilock(ip, XFS_ILOCK_SHARED);
	error = xfs_trans_alloc(ip->i_mount, &x_res, 0, 0, 0, &tp);
	if (!error)
		xfs_trans_cancel(tp);
	xfs_iunlock(ip, XFS_ILOCK_SHARED);
	return error;
}""",
        "xfs_ilock > xfs_trans; xfs_ilock > sb_internal; xfs_trans > sb_internal; "
        "xfs_ilock > xfs_log_space (wait)",
    ),
    case(
        "the inode is marked dirty under its semaphore",
        """
int f(handle_t *handle, struct inode *inode)
{
	int err;

	down_read(&EXT4_I(inode)->xattr_sem);
	err = ext4_mark_inode_dirty(handle, inode);
	up_read(&EXT4_I(inode)->xattr_sem);
	return err;
}""",
        "xattr_sem > buffer_lock; xattr_sem > buffer_shadow (wait); xattr_sem > i_raw_lock",
    ),
    case(
        "a lock that is given to a completion",
        """
int f(struct x *x, struct buffer_head *bh)
{
	lock_buffer(bh);
	if (x->bad)
		return -EIO;
	x_submit(bh);
	return 0;
}
int g(struct x *x)
{
	mutex_lock(&x->a_mutex);
	if (x->bad) {
		mutex_unlock(&x->a_mutex);
		return -EIO;
	}
	if (x->worse)
		return -EIO;
	mutex_unlock(&x->a_mutex);
	return 0;
}""",
        "",
        "lock not released: a_mutex",
    ),
]
