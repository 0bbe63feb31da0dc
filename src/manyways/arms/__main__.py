"""``python -m manyways.arms`` prints README's table of arms."""

from manyways.arms.kinds import table

if __name__ == "__main__":
    print(table())
