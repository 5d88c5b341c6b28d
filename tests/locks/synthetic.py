"""A tree of C that looks like a file system, of any size, the same every time."""

from pathlib import Path

_HELPER = """
static int helper_{n}(struct inode *inode, int flags)
{{
	struct demo_info *di = DEMO_I(inode);
	int ret = 0;

	spin_lock(&di->d_list_lock);
	if (flags & DEMO_FLAG_{m})
		di->count += {n};
	list_for_each_entry(item, &di->items, list) {{
		if (item->key == {n})
			ret = item->value;
	}}
	spin_unlock(&di->d_list_lock);
	if (ret < 0)
		return ret;
	return {callee};
}}

static int update_{n}(struct inode *inode, loff_t pos, size_t len)
{{
	handle_t *handle;
	int ret, err;

	inode_lock(inode);
	handle = ext4_journal_start(inode, EXT4_HT_MISC, {n});
	if (IS_ERR(handle)) {{
		ret = PTR_ERR(handle);
		goto out_unlock;
	}}
	down_write(&EXT4_I(inode)->i_data_sem);
	ret = helper_{n}(inode, len & {m});
	if (ret)
		goto out_stop;
	switch (pos & 3) {{
	case 0:
		ret = demo_case_zero(inode, pos);
		break;
	case 1:
		ret = demo_case_one(inode, pos);
		/* fallthrough */
	default:
		ret = helper_{n}(inode, {m});
	}}
out_stop:
	up_write(&EXT4_I(inode)->i_data_sem);
	err = ext4_journal_stop(handle);
	if (!ret)
		ret = err;
out_unlock:
	inode_unlock(inode);
	return ret;
}}

static long compute_{n}(long a, long b)
{{
	long sum = 0;
	int i;

	for (i = 0; i < {m}; i++) {{
		if (a > b)
			sum += a * i;
		else if (a == b)
			sum -= b * i;
		else
			sum ^= i;
	}}
	return sum;
}}
"""


def write_tree(folder: Path, lines: int) -> int:
    """Write about ``lines`` lines of C below ``folder``; return how many it became."""
    written, number = 0, 0
    while written < lines:
        pieces = ["#include <linux/fs.h>\n"]
        for _ in range(20):
            callee = f"helper_{number - 1}(inode, flags)" if number % 20 else "0"
            pieces.append(_HELPER.format(n=number, m=number % 17, callee=callee))
            number += 1
        text = "".join(pieces)
        part = folder / f"part{number // 400}"
        part.mkdir(exist_ok=True)
        (part / f"file{number}.c").write_text(text)
        written += text.count("\n")
    return written
